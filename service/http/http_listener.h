#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "service/http/http_limits.h"
#include "service/http/http_worker.h"
#include "service/http/log_allowance.h"

namespace aulm::gateway {

// Accepts connections on the first worker's thread and deals each to the worker that has fewest. No error ends it: when
// the process has no descriptors or memory left, it waits a little and goes on. Internal to service/http.
class HttpListener : public std::enable_shared_from_this<HttpListener> {
 public:
  // Binds and listens. Errors: INVALID_ARGUMENT, FAILED_PRECONDITION, as HttpServer::Start tells.
  static absl::StatusOr<std::shared_ptr<HttpListener>> Listen(absl::string_view name, absl::string_view address,
                                                              absl::string_view setting, const HttpLimits& limits,
                                                              std::vector<std::shared_ptr<HttpWorker>> workers);

  HttpListener(absl::string_view name, std::vector<std::shared_ptr<HttpWorker>> workers);

  // "127.0.0.1:41234".
  std::string Address() const;

  // Begins to accept.
  void Start();

  // Stops listening. Thread-safe, does not wait.
  void Close();

  // Connections accepted from now on speak TLS with `context`; null: plain. Thread-safe.
  void SetTls(std::shared_ptr<boost::asio::ssl::context> context) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void Accept();
  void OnAccepted(const boost::system::error_code& error, boost::asio::ip::tcp::socket socket, size_t worker);

  const std::string name_;
  const std::vector<std::shared_ptr<HttpWorker>> workers_;
  boost::asio::ip::tcp::acceptor acceptor_;
  boost::asio::steady_timer pause_;
  LogAllowance allowance_;
  absl::Mutex mutex_;
  std::shared_ptr<boost::asio::ssl::context> tls_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace aulm::gateway
