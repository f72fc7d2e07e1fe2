#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "service/http/http_limits.h"
#include "service/http/http_service.h"

namespace aulm::gateway {

class HttpListener;
class HttpWorker;

// PEM files: the certificate with its chain, and its key.
struct TlsFiles {
  std::string certificate_file;
  std::string key_file;
};

struct HttpServerOptions {
  // What the listener is called in the log: "webhook", "admin".
  std::string name;
  // Host and port: "127.0.0.1:8080", "[::1]:8080", "0.0.0.0:0". Port 0 takes any free port.
  std::string address;
  HttpLimits limits;
  // 1 or 2. Connections are dealt out over the threads, and so is the limit of connections.
  int threads = 1;
  // Absent: plain HTTP.
  std::optional<TlsFiles> tls;
};

// A bounded HTTP/1.1 server with threads of its own, for the webhook listener and the admin page. It reads requests
// strictly, within HttpLimits, and knows nothing of what they mean: that is the HttpService's. Requests of one
// connection are handled one after the other. Thread-safe.
class HttpServer {
 public:
  // Listens and serves from now on. `service` must outlive the server. Errors: INVALID_ARGUMENT when the address is
  // none; FAILED_PRECONDITION when it cannot be listened on, or a TLS file cannot be used.
  static absl::StatusOr<std::unique_ptr<HttpServer>> Start(HttpServerOptions options, HttpService* service);

  // Stops without grace.
  ~HttpServer();

  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // Where it listens, with the actual port: "127.0.0.1:41234".
  const std::string& address() const { return address_; }

  // Reads the TLS files again; connections accepted from then on use them, those that are open go on. An error
  // (FAILED_PRECONDITION) leaves everything as it was. Blocks on the disk.
  absl::Status ReloadTls();

  // Stops listening, closes idle connections, lets requests under way be read, handled and answered for up to `grace`,
  // then closes what is left. Returns when the threads have ended. Calling it again does nothing.
  void Stop(absl::Duration grace) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  HttpServer(HttpServerOptions options, std::vector<std::shared_ptr<HttpWorker>> workers,
             std::shared_ptr<HttpListener> listener, std::string address);

  const HttpServerOptions options_;
  const std::vector<std::shared_ptr<HttpWorker>> workers_;
  const std::shared_ptr<HttpListener> listener_;
  const std::string address_;
  absl::Mutex mutex_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace aulm::gateway
