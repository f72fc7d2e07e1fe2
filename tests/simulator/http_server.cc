#include "tests/simulator/http_server.h"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "tests/simulator/aulm_error.h"
#include "tests/simulator/listen_address.h"
#include "tests/simulator/timestamps.h"

namespace aulm::simulator {
namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

// Every operation reports its error in `error`: nothing here throws.
auto Into(error_code& error) { return asio::redirect_error(asio::use_awaitable, error); }

constexpr absl::Duration kWriteTimeout = absl::Seconds(30);
constexpr size_t kReadBytes = 65'536;

// Closes by RST instead of FIN.
void Reset(beast::tcp_stream& stream) {
  error_code ignored;
  stream.socket().set_option(asio::socket_base::linger(true, 0), ignored);
  stream.socket().close(ignored);
}

absl::string_view View(beast::string_view text) { return {text.data(), text.size()}; }

HttpRequest ViewOf(const http::request<http::string_body>& message, uint64_t connection_id,
                   absl::string_view remote_address) {
  HttpRequest request;
  request.method = View(message.method_string());
  request.target = View(message.target());
  const size_t mark = request.target.find('?');
  request.path = request.target.substr(0, mark);
  if (mark != absl::string_view::npos) request.query = request.target.substr(mark + 1);
  request.headers.reserve(8);
  for (const auto& field : message) request.headers.emplace_back(View(field.name_string()), View(field.value()));
  request.body = message.body();
  request.connection_id = connection_id;
  request.remote_address = remote_address;
  request.arrived_us = MonotonicMicros();
  return request;
}

}  // namespace

// What the accept loop and every connection share; connections hold it, so that it outlives the last of them.
class HttpServer::Core : public std::enable_shared_from_this<HttpServer::Core> {
 public:
  Core(asio::io_context& io, HttpApplication& application, Settings settings)
      : io_(io), application_(application), settings_(std::move(settings)), acceptor_(io) {}

  absl::Status Listen();
  void Accept() { asio::co_spawn(io_, AcceptLoop(shared_from_this()), asio::detached); }
  void Close() {
    error_code ignored;
    acceptor_.close(ignored);
  }
  const std::string& address() const { return address_; }

 private:
  using PlainStream = beast::tcp_stream;
  using TlsStream = beast::ssl_stream<beast::tcp_stream>;

  // Each coroutine takes the core by value: the frame keeps it alive.
  static asio::awaitable<void> AcceptLoop(std::shared_ptr<Core> core);
  static asio::awaitable<void> ServePlain(std::shared_ptr<Core> core, tcp::socket socket);
  static asio::awaitable<void> ServeTls(std::shared_ptr<Core> core, tcp::socket socket);

  template <typename Stream>
  static asio::awaitable<void> Serve(Core& core, Stream& stream);
  template <typename Stream>
  static asio::awaitable<bool> ReadRequest(Core& core, Stream& stream, beast::flat_buffer& buffer,
                                           http::request_parser<http::string_body>& parser);
  // False when the connection is to be closed.
  template <typename Stream>
  static asio::awaitable<bool> WriteAnswer(Stream& stream, HttpAnswer answer, bool keep_alive);

  absl::Status LoadCertificate();

  asio::io_context& io_;
  HttpApplication& application_;
  const Settings settings_;
  tcp::acceptor acceptor_;
  std::unique_ptr<asio::ssl::context> tls_;
  std::string address_;
  uint64_t connections_ = 0;
};

absl::Status HttpServer::Core::LoadCertificate() {
  tls_ = std::make_unique<asio::ssl::context>(asio::ssl::context::tls_server);
  error_code error;
  tls_->use_certificate_chain_file(settings_.tls_certificate_file, error);
  if (error) {
    return absl::InvalidArgumentError(
        absl::StrCat("cannot read a PEM certificate from ", settings_.tls_certificate_file, ": ", error.message()));
  }
  tls_->use_private_key_file(settings_.tls_key_file, asio::ssl::context::pem, error);
  if (error) {
    return absl::InvalidArgumentError(
        absl::StrCat("cannot read the certificate's PEM key from ", settings_.tls_key_file, ": ", error.message()));
  }
  return absl::OkStatus();
}

absl::Status HttpServer::Core::Listen() {
  absl::StatusOr<ListenAddress> wanted = ParseListenAddress(settings_.listen);
  if (!wanted.ok()) return wanted.status();
  if (!settings_.tls_certificate_file.empty()) {
    if (absl::Status status = LoadCertificate(); !status.ok()) return status;
  }
  error_code error;
  const tcp::endpoint endpoint(asio::ip::make_address(wanted->host), wanted->port);
  acceptor_.open(endpoint.protocol(), error);
  if (!error) acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor_.bind(endpoint, error);
  if (!error) acceptor_.listen(1024, error);
  if (error) return absl::UnavailableError(absl::StrCat("cannot listen on ", settings_.listen, ": ", error.message()));
  address_ = absl::StrCat(endpoint.address().is_v6() ? absl::StrCat("[", wanted->host, "]") : wanted->host, ":",
                          acceptor_.local_endpoint().port());
  return absl::OkStatus();
}

asio::awaitable<void> HttpServer::Core::AcceptLoop(std::shared_ptr<Core> core) {
  asio::steady_timer pause(core->io_);
  while (core->acceptor_.is_open()) {
    error_code error;
    tcp::socket socket = co_await core->acceptor_.async_accept(Into(error));
    if (error == asio::error::operation_aborted) co_return;
    if (error) {  // out of descriptors, say: the next connection may fare better
      pause.expires_after(std::chrono::milliseconds(10));
      co_await pause.async_wait(Into(error));
      continue;
    }
    socket.set_option(tcp::no_delay(true), error);
    if (core->tls_ != nullptr) {
      asio::co_spawn(core->io_, ServeTls(core, std::move(socket)), asio::detached);
    } else {
      asio::co_spawn(core->io_, ServePlain(core, std::move(socket)), asio::detached);
    }
  }
}

asio::awaitable<void> HttpServer::Core::ServePlain(std::shared_ptr<Core> core, tcp::socket socket) {
  PlainStream stream(std::move(socket));
  co_await Serve(*core, stream);
  error_code ignored;
  stream.socket().shutdown(tcp::socket::shutdown_both, ignored);
}

asio::awaitable<void> HttpServer::Core::ServeTls(std::shared_ptr<Core> core, tcp::socket socket) {
  TlsStream stream(std::move(socket), *core->tls_);
  error_code error;
  beast::get_lowest_layer(stream).expires_after(absl::ToChronoMilliseconds(core->settings_.idle_timeout));
  co_await stream.async_handshake(asio::ssl::stream_base::server, Into(error));
  if (error) co_return;
  co_await Serve(*core, stream);
  error_code ignored;
  beast::get_lowest_layer(stream).socket().shutdown(tcp::socket::shutdown_both, ignored);
}

template <typename Stream>
asio::awaitable<bool> HttpServer::Core::ReadRequest(Core& core, Stream& stream, beast::flat_buffer& buffer,
                                                    http::request_parser<http::string_body>& parser) {
  // Parsed by hand rather than by async_read_header and async_read: one asynchronous operation for a small request.
  error_code error;
  auto& lowest = beast::get_lowest_layer(stream);
  lowest.expires_after(absl::ToChronoMilliseconds(core.settings_.idle_timeout));
  parser.eager(false);  // stop after the header, to look at it before the body
  while (!parser.is_done()) {
    const bool had_header = parser.is_header_done();
    const size_t used = buffer.size() == 0 ? 0 : parser.put(buffer.data(), error);
    buffer.consume(used);
    if (error == http::error::body_limit) {
      co_await WriteAnswer(stream, JsonAnswer(413, AulmErrorBody("invalid_request", "The body is too large.")), false);
    }
    if (error && error != http::error::need_more) co_return false;
    error.clear();
    if (!had_header && parser.is_header_done()) {
      if (core.application_.DropUnread(View(parser.get().method_string()), View(parser.get().target()))) {
        Reset(lowest);
        co_return false;
      }
      if (absl::EqualsIgnoreCase(View(parser.get()[http::field::expect]), "100-continue")) {
        static constexpr absl::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
        co_await asio::async_write(stream, asio::buffer(kContinue.data(), kContinue.size()), Into(error));
        if (error) co_return false;
      }
      parser.eager(true);
      continue;
    }
    if (used > 0 && buffer.size() > 0) continue;
    if (parser.is_done()) break;
    buffer.commit(co_await stream.async_read_some(buffer.prepare(kReadBytes), Into(error)));
    if (error) co_return false;
  }
  co_return true;
}

template <typename Stream>
asio::awaitable<bool> HttpServer::Core::WriteAnswer(Stream& stream, HttpAnswer answer, bool keep_alive) {
  error_code error;
  auto& lowest = beast::get_lowest_layer(stream);
  if (answer.delay > absl::ZeroDuration()) {
    asio::steady_timer delay(lowest.get_executor(), absl::ToChronoNanoseconds(answer.delay));
    co_await delay.async_wait(Into(error));
  }
  lowest.expires_after(absl::ToChronoMilliseconds(kWriteTimeout));
  if (answer.ending != HttpAnswer::Ending::kUnanswered) {
    const bool close = answer.ending == HttpAnswer::Ending::kHalf || !answer.raw.empty() || !keep_alive;
    std::string bytes = answer.Serialize(!keep_alive);
    if (answer.ending == HttpAnswer::Ending::kHalf) bytes.resize(bytes.size() / 2);
    co_await asio::async_write(stream, asio::buffer(bytes), Into(error));
    if (!close && !error) co_return true;
  }
  if (answer.reset) Reset(lowest);
  co_return false;
}

template <typename Stream>
asio::awaitable<void> HttpServer::Core::Serve(Core& core, Stream& stream) {
  error_code error;
  const uint64_t connection_id = ++core.connections_;
  const std::string remote = beast::get_lowest_layer(stream).socket().remote_endpoint(error).address().to_string();
  beast::flat_buffer buffer;
  bool open = true;
  while (open) {
    http::request_parser<http::string_body> parser;
    parser.body_limit(core.settings_.max_body_bytes);
    open = co_await ReadRequest(core, stream, buffer, parser);
    if (!open) break;
    HttpAnswer answer = core.application_.Answer(ViewOf(parser.get(), connection_id, remote));
    open = co_await WriteAnswer(stream, std::move(answer), parser.keep_alive());
  }
}

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(asio::io_context& io, HttpApplication& application,
                                                              Settings settings) {
  auto core = std::make_shared<Core>(io, application, std::move(settings));
  if (absl::Status status = core->Listen(); !status.ok()) return status;
  core->Accept();
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(core)));
}

HttpServer::HttpServer(std::shared_ptr<Core> core) : core_(std::move(core)) {}

HttpServer::~HttpServer() { core_->Close(); }

const std::string& HttpServer::address() const { return core_->address(); }

}  // namespace aulm::simulator
