#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "absl/time/time.h"
#include "service/aulm/aulm_metrics.h"
#include "service/aulm/http_transport.h"

namespace aulm::gateway {

struct CurlTransportOptions {
  // PEM bundle of the authorities that may sign aulm's certificate; the system's when empty.
  std::string ca_file;
  // "http://host:port" of a proxy. Empty: none, whatever the environment says.
  std::string proxy;
  // Name, TCP and TLS together.
  absl::Duration connect_timeout = absl::Seconds(10);
  // A connection that was idle for longer is not used again: aulm may be closing it at that very moment, which would
  // leave a send in doubt.
  absl::Duration max_idle = absl::Seconds(15);
  // No connection is used for longer, so that changes of aulm's name reach us.
  absl::Duration max_connection_age = absl::Minutes(10);
  // Idle connections kept.
  size_t max_idle_connections = 256;
  // An answer, header and body together, that is larger is cut off and counts as broken.
  size_t max_answer_bytes = 1024 * 1024;
  // How long Stop waits for the answers of what is already written.
  absl::Duration stop_grace = absl::Seconds(10);
};

// HttpTransport over libcurl: one thread runs curl_multi with its socket interface and epoll; connections are reused,
// HTTP/2 is used where the server offers it over TLS (at least 1.2, verified). Redirects are not followed, and no
// request is ever made twice: see service/adr/0005-no-second-post.md.
//
// Start and Cancel push onto a queue and wake the thread if it sleeps. Callbacks run on that thread; after Stop, Start
// fails the exchange (kStopped) on the calling thread.
class CurlTransport final : public HttpTransport {
 public:
  // Starts the thread. `metrics` must outlive this.
  CurlTransport(CurlTransportOptions options, AulmMetrics& metrics);
  // Stops.
  ~CurlTransport() override;

  CurlTransport(const CurlTransport&) = delete;
  CurlTransport& operator=(const CurlTransport&) = delete;

  ExchangeId Start(HttpRequest request, std::shared_ptr<HttpExchange> exchange) override;
  void Cancel(ExchangeId exchange) override;

  // Ends at once, as kStopped, every read and every send that is not written, waits at most `stop_grace` for the
  // answers to the written ones, ends those as well, and joins the thread. Blocks; not on the transport's own thread.
  // Safe to call more than once, from one thread.
  void Stop();

 private:
  class Loop;

  std::unique_ptr<Loop> loop_;
};

}  // namespace aulm::gateway
