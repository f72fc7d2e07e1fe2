#pragma once

#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <memory>
#include <string>

#include "service/http/http_connection.h"

namespace aulm::gateway {

// An HttpConnection over TLS. Keeps the context that it was accepted with. Internal to service/http.
class TlsConnection final : public HttpConnection {
 public:
  TlsConnection(std::shared_ptr<HttpWorker> worker, boost::asio::ip::tcp::socket socket,
                std::shared_ptr<boost::asio::ssl::context> context, Peer peer);

 protected:
  boost::asio::ip::tcp::socket& socket() override { return stream_.next_layer(); }
  void StartHandshake() override;
  void StartRead(absl::Span<char> space) override;
  bool StartWrite(const Buffers& buffers) override;
  void StartGoodbye() override;

 private:
  const std::shared_ptr<boost::asio::ssl::context> context_;
  boost::asio::ssl::stream<boost::asio::ip::tcp::socket> stream_;
};

}  // namespace aulm::gateway
