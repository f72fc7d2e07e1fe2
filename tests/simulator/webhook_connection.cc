#include "tests/simulator/webhook_connection.h"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>
#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace aulm::simulator {
namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;

// The connected stream, plain or TLS, and what has been read beyond the last answer.
struct WebhookConnection::Streams {
  using Tls = beast::ssl_stream<beast::tcp_stream>;

  explicit Streams(asio::io_context& io) : plain(std::make_unique<beast::tcp_stream>(io)) {}
  Streams(asio::io_context& io, asio::ssl::context& context) : tls(std::make_unique<Tls>(io, context)) {}

  beast::tcp_stream& lowest() { return tls != nullptr ? beast::get_lowest_layer(*tls) : *plain; }

  std::unique_ptr<beast::tcp_stream> plain;
  std::unique_ptr<Tls> tls;
  beast::flat_buffer buffer;
  bool used = false;  // has carried an answer: the next request may meet a connection that the endpoint has closed
};

namespace {

auto Into(error_code& error) { return asio::redirect_error(asio::use_awaitable, error); }

constexpr size_t kReadBytes = 4096;

// The literal address of the URL, else what its name resolves to.
asio::awaitable<tcp::resolver::results_type> Resolve(asio::io_context& io, const WebhookUrl& url, error_code& error) {
  const asio::ip::address literal = asio::ip::make_address(url.host, error);
  if (!error) {
    const auto port = static_cast<uint16_t>(std::stoi(url.port));
    co_return tcp::resolver::results_type::create(tcp::endpoint(literal, port), url.host, url.port);
  }
  error.clear();
  tcp::resolver resolver(io);
  co_return co_await resolver.async_resolve(url.host, url.port, Into(error));
}

template <typename Stream>
asio::awaitable<WebhookAnswer> Exchange(Stream& stream, beast::flat_buffer& buffer, absl::string_view request,
                                        bool& got_bytes, bool& keep_alive) {
  WebhookAnswer answer;
  error_code error;
  co_await asio::async_write(stream, asio::buffer(request.data(), request.size()), Into(error));
  if (error) {
    answer.error = absl::StrCat("write: ", error.message());
    co_return answer;
  }
  // Parsed by hand rather than by http::async_read: a small answer then costs one asynchronous operation.
  http::response_parser<http::string_body> parser;
  parser.eager(true);
  while (!parser.is_done()) {
    if (buffer.size() > 0) {
      buffer.consume(parser.put(buffer.data(), error));
      if (error == http::error::need_more) error.clear();
      if (error || parser.is_done()) break;
    }
    buffer.commit(co_await stream.async_read_some(buffer.prepare(kReadBytes), Into(error)));
    if (error == asio::error::eof && parser.got_some()) {
      error.clear();
      parser.put_eof(error);  // ends an answer without a length, and is an error in the midst of any other
    }
    if (error) break;
  }
  got_bytes = parser.got_some();
  if (error) {
    answer.error = absl::StrCat("read: ", error.message());
    co_return answer;
  }
  answer.status = static_cast<int>(parser.get().result_int());
  const auto retry_after = parser.get()[http::field::retry_after];
  answer.retry_after.assign(retry_after.data(), retry_after.size());
  keep_alive = parser.keep_alive();
  co_return answer;
}

}  // namespace

WebhookConnection::WebhookConnection(asio::io_context& io, asio::ssl::context& tls, WebhookUrl url)
    : io_(io), tls_(tls), url_(std::move(url)) {}

WebhookConnection::~WebhookConnection() = default;

asio::awaitable<WebhookAnswer> WebhookConnection::Post(absl::string_view request, absl::Duration timeout) {
  const auto deadline = std::chrono::steady_clock::now() + absl::ToChronoNanoseconds(timeout);
  for (;;) {
    error_code error;
    if (streams_ == nullptr) {
      streams_ = url_.tls ? std::make_unique<Streams>(io_, tls_) : std::make_unique<Streams>(io_);
      const tcp::resolver::results_type endpoints = co_await Resolve(io_, url_, error);
      streams_->lowest().expires_at(deadline);
      if (!error) co_await streams_->lowest().async_connect(endpoints, Into(error));
      if (!error) streams_->lowest().socket().set_option(tcp::no_delay(true), error);
      if (!error && url_.tls) {
        SSL_set_tlsext_host_name(streams_->tls->native_handle(), url_.host.c_str());
        streams_->tls->set_verify_mode(asio::ssl::verify_peer, error);
        streams_->tls->set_verify_callback(asio::ssl::host_name_verification(url_.host), error);
        co_await streams_->tls->async_handshake(asio::ssl::stream_base::client, Into(error));
      }
      if (error) {
        streams_.reset();
        WebhookAnswer answer;
        answer.error = absl::StrCat("connect: ", error.message());
        co_return answer;
      }
    }
    streams_->lowest().expires_at(deadline);
    const bool was_used = streams_->used;
    bool got_bytes = false;
    bool keep_alive = false;
    WebhookAnswer answer;
    if (streams_->tls != nullptr) {
      answer = co_await Exchange(*streams_->tls, streams_->buffer, request, got_bytes, keep_alive);
    } else {
      answer = co_await Exchange(*streams_->plain, streams_->buffer, request, got_bytes, keep_alive);
    }
    streams_->used = true;
    if (!keep_alive) streams_.reset();
    const bool timed_out = std::chrono::steady_clock::now() >= deadline;
    if (answer.status == 0 && was_used && !got_bytes && !timed_out) continue;
    co_return answer;
  }
}

std::string WebhookRequestHead(const WebhookUrl& url, size_t body_bytes) {
  return absl::StrCat(
      "POST ", url.target, " HTTP/1.1\r\nhost: ", url.host_header,
      "\r\nuser-agent: aulm-simulator\r\ncontent-type: application/json\r\ncontent-length: ", body_bytes, "\r\n");
}

}  // namespace aulm::simulator
