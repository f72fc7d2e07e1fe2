#include "tests/simulator/test_client.h"

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <boost/json.hpp>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "tests/simulator/listen_address.h"
#include "tests/simulator/simulator_process.h"

namespace aulm::simulator {
namespace asio = boost::asio;
namespace http = boost::beast::http;
namespace json = boost::json;
using asio::ip::tcp;
using boost::system::error_code;

struct TestClient::Connection {
  explicit Connection(const std::string& authority_file) : stream(io, context) {
    if (!authority_file.empty()) {
      context.load_verify_file(authority_file);
      stream.set_verify_mode(asio::ssl::verify_peer);
    }
  }

  asio::io_context io;
  asio::ssl::context context{asio::ssl::context::tls_client};
  asio::ssl::stream<tcp::socket> stream;  // its next layer alone is used without TLS
  boost::beast::flat_buffer buffer;
};

json::value TestAnswer::json() const {
  error_code parse_error;
  json::value value = json::parse(body, parse_error);
  return parse_error ? json::value(nullptr) : value;
}

std::string TestAnswer::code() const {
  const json::value value = json();
  if (!value.is_object() || !value.get_object().contains("error")) return "";
  return std::string(value.at("error").at("code").as_string());
}

TestClient::TestClient(std::string address, std::string tls_authority_file)
    : address_(std::move(address)), tls_authority_file_(std::move(tls_authority_file)) {}

TestClient::~TestClient() = default;

TestAnswer TestClient::Do(absl::string_view method, absl::string_view target, const Headers& headers,
                          std::string body) {
  TestAnswer answer;
  error_code error;
  const bool tls = !tls_authority_file_.empty();
  if (connection_ == nullptr) {
    connection_ = std::make_unique<Connection>(tls_authority_file_);
    const ListenAddress where = *ParseListenAddress(address_);
    connection_->stream.next_layer().connect(tcp::endpoint(asio::ip::make_address(where.host), where.port), error);
    if (!error && tls) connection_->stream.handshake(asio::ssl::stream_base::client, error);
  }
  http::request<http::string_body> request;
  request.method_string({method.data(), method.size()});
  request.target({target.data(), target.size()});
  request.set(http::field::host, address_);
  for (const auto& [name, value] : headers) request.insert(name, value);
  request.body() = std::move(body);
  request.prepare_payload();
  http::response_parser<http::string_body> parser;
  parser.body_limit(boost::none);
  const auto exchange = [&](auto& stream) {
    if (!error) http::write(stream, request, error);
    if (!error) http::read(stream, connection_->buffer, parser, error);
  };
  if (tls) {
    exchange(connection_->stream);
  } else {
    exchange(connection_->stream.next_layer());
  }
  answer.closed = error || !parser.keep_alive();
  if (answer.closed) connection_.reset();
  if (error) {
    answer.error = error.message();
    return answer;
  }
  answer.status = static_cast<int>(parser.get().result_int());
  for (const auto& field : parser.get()) {
    answer.headers[absl::AsciiStrToLower(std::string(field.name_string()))] = std::string(field.value());
  }
  answer.body = parser.get().body();
  return answer;
}

TestAnswer TestClient::SendText(const json::value& body, const std::string& key) {
  Headers headers;
  if (!key.empty()) headers.emplace_back("Authorization", absl::StrCat("Bearer ", key));
  return Do("POST", "/v1/messages/send-text", headers, json::serialize(body));
}

TestAnswer TestClient::SendImage(const json::value& body, const std::string& key) {
  return Do("POST", "/v1/messages/send-image", {{"Authorization", absl::StrCat("Bearer ", key)}},
            json::serialize(body));
}

TestAnswer TestClient::SessionStatus(const std::string& session_id, const std::string& key) {
  return Do("GET", absl::StrCat("/v1/sessions/", session_id, "/status"),
            {{"Authorization", absl::StrCat("Bearer ", key)}});
}

std::string TestClient::Raw(absl::string_view bytes) {
  asio::io_context io;
  tcp::socket socket(io);
  error_code error;
  const ListenAddress where = *ParseListenAddress(address_);
  socket.connect(tcp::endpoint(asio::ip::make_address(where.host), where.port), error);
  asio::write(socket, asio::buffer(bytes.data(), bytes.size()), error);
  std::string answer;
  asio::read(socket, asio::dynamic_buffer(answer), error);
  return answer;
}

json::value TextTo(const std::string& to, const std::string& body) {
  return json::object{{"session_id", kConnectedSession}, {"to", to}, {"body", body}};
}

}  // namespace aulm::simulator
