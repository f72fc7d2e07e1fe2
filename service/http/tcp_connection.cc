#include "service/http/tcp_connection.h"

#include <algorithm>
#include <boost/asio/write.hpp>
#include <utility>

namespace aulm::gateway {

TcpConnection::TcpConnection(std::shared_ptr<HttpWorker> worker, boost::asio::ip::tcp::socket socket, Peer peer)
    : HttpConnection(std::move(worker), std::move(peer)), socket_(std::move(socket)) {}

void TcpConnection::StartHandshake() { OnReady({}); }

void TcpConnection::StartRead(absl::Span<char> space) {
  socket_.async_read_some(
      boost::asio::buffer(space.data(), space.size()),
      [self = Self<TcpConnection>()](const ErrorCode& error, size_t bytes) { self->OnRead(error, bytes); });
}

bool TcpConnection::StartWrite(const Buffers& buffers) {
  // Nearly every answer fits the socket's buffer: writing it at once saves a round through the event loop.
  ErrorCode error;
  const size_t written = socket_.write_some(buffers, error);
  if (!error && written == boost::asio::buffer_size(buffers)) return true;
  if (error && error != boost::asio::error::would_block) {
    Close();
    return false;
  }
  const size_t of_first = std::min(written, buffers[0].size());
  const Buffers rest = {buffers[0] + of_first, buffers[1] + (written - of_first)};
  boost::asio::async_write(
      socket_, rest, [self = Self<TcpConnection>()](const ErrorCode& failure, size_t) { self->OnWritten(failure); });
  return false;
}

void TcpConnection::StartGoodbye() {
  ErrorCode ignored;
  socket_.shutdown(boost::asio::ip::tcp::socket::shutdown_send, ignored);
  OnGoodbye();
}

}  // namespace aulm::gateway
