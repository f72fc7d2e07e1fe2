#include "service/http/http_listener.h"

#include <boost/asio/post.hpp>
#include <chrono>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "service/base/log.h"

namespace aulm::gateway {
namespace {

using boost::asio::ip::tcp;

constexpr std::chrono::milliseconds kPause(50);

absl::StatusOr<tcp::endpoint> Resolve(absl::string_view name, absl::string_view address, boost::asio::io_context& io) {
  const size_t colon = address.rfind(':');
  uint32_t port = 0;
  if (colon == absl::string_view::npos || !absl::SimpleAtoi(address.substr(colon + 1), &port) || port > 65535) {
    return absl::InvalidArgumentError(
        absl::StrCat("the ", name, " address \"", address, "\" is not host:port; write for example 127.0.0.1:8080"));
  }
  absl::string_view host = address.substr(0, colon);
  if (absl::ConsumePrefix(&host, "[")) absl::ConsumeSuffix(&host, "]");
  boost::system::error_code error;
  tcp::resolver resolver(io);
  const auto found = resolver.resolve(std::string(host), absl::StrCat(port),
                                      tcp::resolver::passive | tcp::resolver::numeric_service, error);
  if (error || found.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("the ", name, " address \"", address, "\" names no address of this machine: ", error.message()));
  }
  return found.begin()->endpoint();
}

}  // namespace

absl::StatusOr<std::shared_ptr<HttpListener>> HttpListener::Listen(absl::string_view name, absl::string_view address,
                                                                   absl::string_view setting, const HttpLimits& limits,
                                                                   std::vector<std::shared_ptr<HttpWorker>> workers) {
  absl::StatusOr<tcp::endpoint> endpoint = Resolve(name, address, workers.front()->io());
  if (!endpoint.ok()) return endpoint.status();
  auto listener = std::make_shared<HttpListener>(name, std::move(workers));
  tcp::acceptor& acceptor = listener->acceptor_;
  boost::system::error_code error;
  acceptor.open(endpoint->protocol(), error);
  if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  // Accepted sockets have these from the listening one: the size of the window is settled in the handshake.
  if (!error) acceptor.set_option(tcp::acceptor::receive_buffer_size(limits.receive_buffer_bytes), error);
  if (!error) acceptor.set_option(tcp::acceptor::send_buffer_size(limits.send_buffer_bytes), error);
  if (!error) acceptor.bind(*endpoint, error);
  if (!error) acceptor.listen(tcp::acceptor::max_listen_connections, error);
  if (error) {
    return absl::FailedPreconditionError(absl::StrCat("cannot listen for ", name, " on ", address, ": ",
                                                      error.message(), ". Set ", setting, " to a free address"));
  }
  return listener;
}

HttpListener::HttpListener(absl::string_view name, std::vector<std::shared_ptr<HttpWorker>> workers)
    : name_(name), workers_(std::move(workers)), acceptor_(workers_.front()->io()), pause_(workers_.front()->io()) {}

std::string HttpListener::Address() const {
  boost::system::error_code error;
  const tcp::endpoint endpoint = acceptor_.local_endpoint(error);
  const std::string host = endpoint.address().to_string();
  return absl::StrCat(endpoint.address().is_v6() ? absl::StrCat("[", host, "]") : host, ":", endpoint.port());
}

void HttpListener::Start() {
  boost::asio::post(acceptor_.get_executor(), [self = shared_from_this()] { self->Accept(); });
}

void HttpListener::Close() {
  boost::asio::post(acceptor_.get_executor(), [self = shared_from_this()] {
    boost::system::error_code ignored;
    self->acceptor_.close(ignored);
    self->pause_.cancel();
  });
}

void HttpListener::SetTls(std::shared_ptr<boost::asio::ssl::context> context) {
  absl::MutexLock lock(&mutex_);
  tls_ = std::move(context);
}

void HttpListener::Accept() {
  if (!acceptor_.is_open()) return;
  size_t least = 0;
  for (size_t i = 1; i < workers_.size(); ++i) {
    if (workers_[i]->open() < workers_[least]->open()) least = i;
  }
  acceptor_.async_accept(workers_[least]->io(), [self = shared_from_this(), least](
                                                    const boost::system::error_code& error, tcp::socket socket) {
    self->OnAccepted(error, std::move(socket), least);
  });
}

void HttpListener::OnAccepted(const boost::system::error_code& error, tcp::socket socket, size_t worker) {
  if (!acceptor_.is_open()) return;
  if (!error) {
    std::shared_ptr<boost::asio::ssl::context> tls;
    {
      absl::MutexLock lock(&mutex_);
      tls = tls_;
    }
    workers_[worker]->Adopt(std::move(socket), std::move(tls));
    return Accept();
  }
  if (const auto left_out = allowance_.Take(absl::Now()); left_out.has_value()) {
    LogLine(LogLevel::kWarn, "accept_failed")
        .Field("listener", name_)
        .Field("error", error.message())
        .Field("left_out", *left_out);
  }
  // A connection that broke before it was accepted concerns nobody else; anything else (no descriptors, no memory)
  // would fail again at once.
  if (error == boost::asio::error::connection_aborted) return Accept();
  pause_.expires_after(kPause);
  pause_.async_wait([self = shared_from_this()](const boost::system::error_code&) { self->Accept(); });
}

}  // namespace aulm::gateway
