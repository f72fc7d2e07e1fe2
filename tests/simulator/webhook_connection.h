#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ssl/context.hpp>
#include <memory>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "tests/simulator/webhook_url.h"

namespace aulm::simulator {

// What an endpoint said to one POST.
struct WebhookAnswer {
  int status = 0;           // 0: no answer
  std::string retry_after;  // the header, empty when absent
  std::string error;        // why there is no answer
};

// One keep-alive connection to a webhook endpoint, over TCP or TLS (verified against the context's authorities and the
// URL's host). Connects when first needed and again after the endpoint has closed. One Post at a time.
class WebhookConnection {
 public:
  WebhookConnection(boost::asio::io_context& io, boost::asio::ssl::context& tls, WebhookUrl url);
  ~WebhookConnection();

  // Writes `request` (a whole HTTP/1.1 request, which must stay valid) and reads the answer, within `timeout` in all. A
  // kept-alive connection that turns out to be closed before any byte of an answer is replaced once, since the endpoint
  // then most likely never saw the request.
  boost::asio::awaitable<WebhookAnswer> Post(absl::string_view request, absl::Duration timeout);

  const WebhookUrl& url() const { return url_; }

 private:
  struct Streams;

  boost::asio::io_context& io_;
  boost::asio::ssl::context& tls_;
  const WebhookUrl url_;
  std::unique_ptr<Streams> streams_;  // null while not connected
};

// The request line and headers of a POST to `url`, up to and without the empty line.
std::string WebhookRequestHead(const WebhookUrl& url, size_t body_bytes);

}  // namespace aulm::simulator
