#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "tests/simulator/http_message.h"

namespace boost::asio {
class io_context;
}

namespace aulm::simulator {

// An HTTP/1.1 server with keep-alive for one application, on the io_context's thread. Answers each connection's
// requests one after another and carries out what an answer asks of the connection (late, half, none, reset). Knows
// nothing of aulm.
class HttpServer {
 public:
  struct Settings {
    std::string listen;                // `127.0.0.1:0`, `[::1]:8080`: a literal address and a port, 0 for any free one
    std::string tls_certificate_file;  // PEM chain; empty: plain HTTP
    std::string tls_key_file;
    absl::Duration idle_timeout = absl::Minutes(1);  // a connection without a request for this long is closed
    size_t max_body_bytes = size_t{16} << 20;        // beyond: 413, and the connection closes
  };

  // Binds and listens; connections are served once the io_context runs. `application` and `io` must outlive the
  // server. kInvalidArgument when an address or a certificate is no good, kUnavailable when the port is taken.
  static absl::StatusOr<std::unique_ptr<HttpServer>> Start(boost::asio::io_context& io, HttpApplication& application,
                                                           Settings settings);
  ~HttpServer();

  // `127.0.0.1:41234`: the address with the port in use.
  const std::string& address() const;

 private:
  class Core;
  explicit HttpServer(std::shared_ptr<Core> core);

  std::shared_ptr<Core> core_;
};

}  // namespace aulm::simulator
