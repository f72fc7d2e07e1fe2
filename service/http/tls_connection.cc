#include "service/http/tls_connection.h"

#include <boost/asio/write.hpp>
#include <utility>

namespace aulm::gateway {

TlsConnection::TlsConnection(std::shared_ptr<HttpWorker> worker, boost::asio::ip::tcp::socket socket,
                             std::shared_ptr<boost::asio::ssl::context> context, Peer peer)
    : HttpConnection(std::move(worker), std::move(peer)),
      context_(std::move(context)),
      stream_(std::move(socket), *context_) {}

void TlsConnection::StartHandshake() {
  stream_.async_handshake(boost::asio::ssl::stream_base::server,
                          [self = Self<TlsConnection>()](const ErrorCode& error) { self->OnReady(error); });
}

void TlsConnection::StartRead(absl::Span<char> space) {
  stream_.async_read_some(
      boost::asio::buffer(space.data(), space.size()),
      [self = Self<TlsConnection>()](const ErrorCode& error, size_t bytes) { self->OnRead(error, bytes); });
}

bool TlsConnection::StartWrite(const Buffers& buffers) {
  boost::asio::async_write(stream_, buffers,
                           [self = Self<TlsConnection>()](const ErrorCode& error, size_t) { self->OnWritten(error); });
  return false;
}

void TlsConnection::StartGoodbye() {
  stream_.async_shutdown([self = Self<TlsConnection>()](const ErrorCode&) {
    ErrorCode ignored;
    self->socket().shutdown(boost::asio::ip::tcp::socket::shutdown_send, ignored);
    self->OnGoodbye();
  });
}

}  // namespace aulm::gateway
