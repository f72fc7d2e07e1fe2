#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "service/aulm/aulm_metrics.h"
#include "service/aulm/http_transport.h"

namespace aulm::gateway {

class CurlLoop;

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
  CurlTransport(const CurlTransportOptions& options, AulmMetrics& metrics);
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
  struct Command {
    ExchangeId id = 0;
    HttpRequest request;
    std::shared_ptr<HttpExchange> exchange;  // null: cancel
  };

  // Hands the command to the thread; false, with the command untouched, when the thread has ended.
  bool Post(Command& command);
  void Run();

  const absl::Duration stop_grace_;
  // The thread's, but for its poller's Wake.
  const std::unique_ptr<CurlLoop> loop_;
  std::atomic<ExchangeId> next_id_{1};

  absl::Mutex mutex_;
  std::vector<Command> queue_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;

  std::thread thread_;
};

}  // namespace aulm::gateway
