#include "tests/simulator/request_log.h"

namespace aulm::simulator {
namespace {

constexpr size_t kMaxBodyBytes = size_t{256} << 20;

}  // namespace

RecordedRequest& RequestLog::Add(const HttpRequest& request) {
  body_bytes_ += request.body.size();
  while (!requests_.empty() && (requests_.size() >= max_requests_ || body_bytes_ > kMaxBodyBytes)) {
    body_bytes_ -= requests_.front().body.size();
    requests_.pop_front();
  }
  RecordedRequest& recorded = requests_.emplace_back();
  recorded.sequence = ++last_sequence_;
  recorded.method = std::string(request.method);
  recorded.target = std::string(request.target);
  recorded.headers.reserve(request.headers.size());
  for (const auto& [name, value] : request.headers) recorded.headers.emplace_back(name, value);
  recorded.body = std::string(request.body);
  recorded.connection_id = request.connection_id;
  recorded.remote_address = std::string(request.remote_address);
  recorded.arrived_us = request.arrived_us;
  return recorded;
}

void RequestLog::Clear() {
  requests_.clear();
  body_bytes_ = 0;
}

}  // namespace aulm::simulator
