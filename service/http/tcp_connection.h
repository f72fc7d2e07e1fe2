#pragma once

#include <memory>
#include <string>

#include "service/http/http_connection.h"

namespace aulm::gateway {

// An HttpConnection over plain TCP. Internal to service/http.
class TcpConnection final : public HttpConnection {
 public:
  // `socket` is non-blocking.
  TcpConnection(std::shared_ptr<HttpWorker> worker, boost::asio::ip::tcp::socket socket, Peer peer);

 protected:
  boost::asio::ip::tcp::socket& socket() override { return socket_; }
  void StartHandshake() override;
  void StartRead(absl::Span<char> space) override;
  bool StartWrite(const Buffers& buffers) override;
  void StartGoodbye() override;

 private:
  boost::asio::ip::tcp::socket socket_;
};

}  // namespace aulm::gateway
