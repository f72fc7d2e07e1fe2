#pragma once

#include <curl/curl.h>

#include <cstddef>
#include <cstdint>
#include <memory>

#include "service/aulm/aulm_metrics.h"
#include "service/aulm/curl_transport.h"
#include "service/aulm/http_transport.h"

namespace aulm::gateway {

// One libcurl easy handle and the exchange that it carries at the moment; CurlLoop keeps a pool of them, since making a
// handle costs more than a call. The body is given by a read function and can not be rewound, so libcurl cannot send it
// twice without our knowing (service/adr/0005-no-second-post.md). Used on the transport's thread alone.
class CurlTransfer {
 public:
  CurlTransfer(const CurlTransportOptions& options, AulmMetrics& metrics);
  ~CurlTransfer();

  CurlTransfer(const CurlTransfer&) = delete;
  CurlTransfer& operator=(const CurlTransfer&) = delete;

  // Takes the exchange on. False when the request cannot be put on the wire (an empty POST, a line break in a header).
  bool Begin(HttpTransport::ExchangeId id, HttpRequest request, std::shared_ptr<HttpExchange> exchange);

  // What the transfer came to. Once, after it left the multi handle.
  HttpResult Result(CURLcode code);

  // Forgets the exchange, so that the next can begin.
  void Clear();

  CURL* easy() const { return easy_; }
  HttpTransport::ExchangeId id() const { return id_; }
  const std::shared_ptr<HttpExchange>& exchange() const { return exchange_; }
  const HttpRequest& request() const { return request_; }
  // True once a byte of the body was handed to libcurl.
  bool written() const { return body_sent_ > 0; }
  // True for a send that must not be ended any more: it is finished or detached.
  bool must_finish() const { return request_.finish_once_written && written(); }

  // Monotonic nanoseconds at which CurlLoop looks at this transfer again; its deadline, or the settle limit.
  int64_t due = INT64_MAX;
  bool detached = false;

 private:
  static size_t OnRead(char* buffer, size_t size, size_t count, void* self);
  static int OnSeek(void* self, curl_off_t offset, int origin);
  static size_t OnHeader(char* data, size_t size, size_t count, void* self);
  static size_t OnWrite(char* data, size_t size, size_t count, void* self);

  // Counts the answer's bytes; false when there are too many.
  bool Take(size_t bytes);

  const size_t max_answer_bytes_;
  CURL* const easy_;
  curl_slist* headers_ = nullptr;
  char error_[CURL_ERROR_SIZE] = {};

  HttpTransport::ExchangeId id_ = 0;
  HttpRequest request_;
  std::shared_ptr<HttpExchange> exchange_;
  HttpResponse response_;
  size_t body_sent_ = 0;
  size_t answer_bytes_ = 0;
  bool answer_too_large_ = false;
};

}  // namespace aulm::gateway
