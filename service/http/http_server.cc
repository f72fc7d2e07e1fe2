#include "service/http/http_server.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "service/http/http_listener.h"
#include "service/http/http_worker.h"
#include "service/http/tls_context.h"

namespace aulm::gateway {

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(HttpServerOptions options, HttpService* service) {
  std::shared_ptr<boost::asio::ssl::context> tls;
  if (options.tls.has_value()) {
    absl::StatusOr<std::shared_ptr<boost::asio::ssl::context>> loaded = MakeTlsContext(*options.tls);
    if (!loaded.ok()) return loaded.status();
    tls = *std::move(loaded);
  }
  const size_t threads = static_cast<size_t>(std::clamp(options.threads, 1, 2));
  HttpLimits share = options.limits;
  share.incomplete_body_bytes /= threads;
  share.connections_per_address = (share.connections_per_address + threads - 1) / threads;
  std::vector<std::shared_ptr<HttpWorker>> workers;
  for (size_t i = 0; i < threads; ++i) {
    const size_t connections = (options.limits.connections + threads - 1) / threads;
    workers.push_back(std::make_shared<HttpWorker>(share, connections, service));
  }
  absl::StatusOr<std::shared_ptr<HttpListener>> listener =
      HttpListener::Listen(options.name, options.address, options.setting, options.limits, workers);
  if (!listener.ok()) return listener.status();
  (*listener)->SetTls(std::move(tls));
  for (const auto& worker : workers) worker->Start();
  (*listener)->Start();
  std::string address = (*listener)->Address();
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(options.name), options.tls.has_value(),
                                                    std::move(workers), *std::move(listener), std::move(address)));
}

HttpServer::HttpServer(std::string name, bool has_tls, std::vector<std::shared_ptr<HttpWorker>> workers,
                       std::shared_ptr<HttpListener> listener, std::string address)
    : name_(std::move(name)),
      has_tls_(has_tls),
      workers_(std::move(workers)),
      listener_(std::move(listener)),
      address_(std::move(address)) {}

HttpServer::~HttpServer() { Stop(absl::ZeroDuration()); }

absl::Status HttpServer::SetTls(const TlsPem& tls) {
  if (!has_tls_) return absl::FailedPreconditionError(absl::StrCat(name_, " has no TLS"));
  absl::StatusOr<std::shared_ptr<boost::asio::ssl::context>> made = MakeTlsContext(tls);
  if (!made.ok()) return made.status();
  listener_->SetTls(*std::move(made));
  return absl::OkStatus();
}

void HttpServer::Stop(absl::Duration grace) {
  {
    absl::MutexLock lock(&mutex_);
    if (stopped_) return;
    stopped_ = true;
  }
  listener_->Close();
  for (const auto& worker : workers_) worker->Drain(grace);
  for (const auto& worker : workers_) worker->Join();
}

}  // namespace aulm::gateway
