#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "tests/simulator/http_message.h"

namespace aulm::simulator {

// A request to the API as it came in, and what became of it.
struct RecordedRequest {
  uint64_t sequence = 0;  // from 1, never reused
  std::string method;
  std::string target;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  uint64_t connection_id = 0;
  std::string remote_address;
  int64_t arrived_us = 0;   // CLOCK_MONOTONIC
  int answered_status = 0;  // 0: closed without an answer
  std::string request_id;   // the x-request-id of the answer
  std::string message_id;   // not empty: the send was accepted, whatever was answered
};

// The requests of the API, newest last. The oldest go when there are more than `max_requests` or their bodies take more
// than 256 MiB. Not thread-safe.
class RequestLog {
 public:
  // 0: nothing is recorded.
  explicit RequestLog(size_t max_requests) : max_requests_(max_requests) {}

  bool enabled() const { return max_requests_ > 0; }

  // Copies the request. The result is valid until the next Add or Clear: the caller fills in what became of it.
  RecordedRequest& Add(const HttpRequest& request);

  void Clear();

  const std::deque<RecordedRequest>& requests() const { return requests_; }

 private:
  const size_t max_requests_;
  uint64_t last_sequence_ = 0;
  size_t body_bytes_ = 0;
  std::deque<RecordedRequest> requests_;
};

}  // namespace aulm::simulator
