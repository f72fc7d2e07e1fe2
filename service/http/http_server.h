#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "service/http/http_limits.h"
#include "service/http/http_service.h"

namespace aulm::gateway {

class HttpListener;
class HttpWorker;

// What a TLS listener shows, in PEM: its certificate, the leaf first, and its key. Views: whoever calls keeps the
// bytes.
struct TlsPem {
  absl::string_view certificate_chain;
  absl::string_view key;
};

struct HttpServerOptions {
  // What the listener is called in the log: "webhook", "admin".
  std::string name;
  // Host and port: "127.0.0.1:8080", "[::1]:8080", "0.0.0.0:0". Port 0 takes any free port.
  std::string address;
  // The setting that holds the address, for the message that it cannot be had: "GATEWAY_WEBHOOK_LISTEN".
  std::string setting = "the setting";
  HttpLimits limits;
  // 1 or 2. Connections are dealt out over the threads, and so are the limits of connections.
  int threads = 1;
  // Absent: plain HTTP. Used by Start alone.
  std::optional<TlsPem> tls;
};

// A bounded HTTP/1.1 server with threads of its own, for the webhook listener and the admin page. It reads requests
// strictly, within HttpLimits, and knows nothing of what they mean: that is the HttpService's. Requests of one
// connection are handled one after the other. Thread-safe.
class HttpServer {
 public:
  // Listens and serves from now on. `service` must outlive the server. Errors: INVALID_ARGUMENT when the address is
  // none; FAILED_PRECONDITION when it cannot be listened on, or the certificate or key cannot be used.
  static absl::StatusOr<std::unique_ptr<HttpServer>> Start(HttpServerOptions options, HttpService* service);

  // Stops without grace.
  ~HttpServer();

  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // Where it listens, with the actual port: "127.0.0.1:41234".
  const std::string& address() const { return address_; }

  // Connections accepted from then on are shown this certificate, those that are open go on. FAILED_PRECONDITION when
  // it cannot be used, or the server began without TLS: everything stays as it was. Does not block.
  absl::Status SetTls(const TlsPem& tls);

  // Stops listening, closes idle connections, lets requests under way be read, handled and answered for up to `grace`,
  // then closes what is left. Returns when the threads have ended. Calling it again does nothing.
  void Stop(absl::Duration grace) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  HttpServer(std::string name, bool has_tls, std::vector<std::shared_ptr<HttpWorker>> workers,
             std::shared_ptr<HttpListener> listener, std::string address);

  const std::string name_;
  const bool has_tls_;
  const std::vector<std::shared_ptr<HttpWorker>> workers_;
  const std::shared_ptr<HttpListener> listener_;
  const std::string address_;
  absl::Mutex mutex_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace aulm::gateway
