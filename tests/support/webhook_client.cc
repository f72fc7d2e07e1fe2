#include "tests/support/webhook_client.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/substitute.h"

namespace aulm::gateway {

namespace http = boost::beast::http;
using boost::asio::ip::tcp;

struct WebhookClient::Connection {
  boost::asio::io_context context;
  tcp::socket socket{context};
  boost::beast::flat_buffer buffer;

  boost::system::error_code Read(http::response<http::string_body>& response, absl::Duration patience) {
    boost::system::error_code error = boost::asio::error::timed_out;
    if (patience == absl::InfiniteDuration()) {
      http::read(socket, buffer, response, error);
      return error;
    }
    bool done = false;
    http::async_read(socket, buffer, response, [&](boost::system::error_code result, size_t) {
      if (!done) error = result;
      done = true;
    });
    context.restart();
    context.run_for(absl::ToChronoMilliseconds(patience));
    if (!done) {
      done = true;  // it must not say anything about `error` any more, and ends before its arguments do
      socket.close();
      context.run();
    }
    return error;
  }
};

WebhookClient::WebhookClient(std::string address, std::string secret, absl::Duration patience)
    : secret_(std::move(secret)), patience_(patience) {
  const size_t colon = address.rfind(':');
  host_ = address.substr(0, colon);
  port_ = address.substr(colon + 1);
}

WebhookClient::~WebhookClient() = default;
WebhookClient::WebhookClient(WebhookClient&&) noexcept = default;

absl::StatusOr<int> WebhookClient::Post(absl::string_view event, absl::string_view delivery_id,
                                        const std::string& body) {
  boost::system::error_code error;
  if (connection_ == nullptr) {
    connection_ = std::make_unique<Connection>();
    connection_->socket.connect(tcp::endpoint(boost::asio::ip::make_address(host_), std::stoi(port_) & 0xffff), error);
    if (!error) connection_->socket.set_option(tcp::no_delay(true), error);
  }
  http::request<http::string_body> request(http::verb::post, "/webhooks/aulm", 11);
  request.set(http::field::host, absl::StrCat(host_, ":", port_));
  request.set(http::field::content_type, "application/json");
  request.set("x-aulm-event", std::string(event));
  request.set("x-aulm-delivery-id", std::string(delivery_id));
  request.set("x-aulm-attempt", "1");
  request.set("x-aulm-signature", SignDelivery(secret_, body));
  request.body() = body;
  request.prepare_payload();
  http::response<http::string_body> response;
  if (!error) http::write(connection_->socket, request, error);
  if (!error) error = connection_->Read(response, patience_);
  if (error) {
    connection_.reset();
    return absl::UnavailableError(error.message());
  }
  if (!response.keep_alive()) connection_.reset();
  return static_cast<int>(response.result_int());
}

std::string SignDelivery(absl::string_view secret, absl::string_view body) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  unsigned int length = 0;
  HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
       reinterpret_cast<const unsigned char*>(body.data()), body.size(), digest.data(), &length);
  return absl::StrCat("sha256=",
                      absl::BytesToHexString(absl::string_view(reinterpret_cast<const char*>(digest.data()), length)));
}

std::string InboundMessageBody(absl::string_view delivery_id, absl::string_view session_id, absl::string_view from,
                               absl::string_view text, absl::string_view received_at) {
  return absl::Substitute(R"({"event": "inbound_message", "delivery_id": "$0", "session_id": "$1", "from": "$2", )"
                          R"("message_id": "in-$0", "type": "text", "body": "$3", "received_at": "$4"})",
                          delivery_id, session_id, from, text, received_at);
}

std::string MessageStatusBody(absl::string_view delivery_id, absl::string_view session_id, absl::string_view message_id,
                              absl::string_view to, absl::string_view status, absl::string_view occurred_at) {
  return absl::Substitute(R"({"event": "message_status", "delivery_id": "$0", "session_id": "$1", "message_id": "$2", )"
                          R"("status": "$4", "to": "$3", "occurred_at": "$5"})",
                          delivery_id, session_id, message_id, to, status, occurred_at);
}

}  // namespace aulm::gateway
