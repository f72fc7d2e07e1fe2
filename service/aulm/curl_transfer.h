#pragma once

#include <curl/curl.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "service/aulm/curl_transport.h"
#include "service/aulm/http_transport.h"

namespace aulm::gateway {

// One libcurl easy handle and the exchange that it carries at the moment; CurlLoop keeps a pool of them, since making a
// handle costs more than a call. libcurl asks before it writes a request, and is let write a POST only once: by itself
// it would repeat it (service/adr/0005-no-second-post.md). Used on the transport's thread alone.
class CurlTransfer {
 public:
  explicit CurlTransfer(const CurlTransportOptions& options);
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
  // True once libcurl has a connection and goes on to write the request of a POST: head and body go out together.
  bool written() const { return written_; }
  // True for a send that must not be ended any more: it is finished or detached.
  bool must_finish() const { return request_.finish_once_written && written(); }

  // Monotonic nanoseconds at which CurlLoop looks at this transfer again; its deadline, or the settle limit.
  int64_t due = INT64_MAX;
  bool detached = false;

 private:
  // libcurl has a connection, new or used, and is about to write the request to it.
  static int OnRequest(void* self, char* server_ip, char* own_ip, int server_port, int own_port);
  static size_t OnHeader(char* data, size_t size, size_t count, void* self);
  static size_t OnWrite(char* data, size_t size, size_t count, void* self);

  // Puts the request's headers into headers_; false when one is more than a line.
  bool ListHeaders();

  // Counts the answer's bytes; false when there are too many.
  bool Take(size_t bytes);

  const size_t max_answer_bytes_;
  CURL* const easy_;
  // The request's headers, each ended by a NUL, and libcurl's list of them, which it only reads: making it by
  // curl_slist_append would take and give back memory twice a header.
  std::string header_lines_;
  std::vector<curl_slist> headers_;
  char error_[CURL_ERROR_SIZE] = {};

  HttpTransport::ExchangeId id_ = 0;
  HttpRequest request_;
  std::shared_ptr<HttpExchange> exchange_;
  HttpResponse response_;
  bool written_ = false;
  bool refused_second_ = false;
  size_t answer_bytes_ = 0;
  bool answer_too_large_ = false;
};

}  // namespace aulm::gateway
