#include "tests/simulator/control_client.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <boost/json.hpp>
#include <chrono>
#include <thread>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/simulator/json_view.h"
#include "tests/simulator/listen_address.h"
#include "tests/simulator/timestamps.h"

namespace aulm::simulator {
namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
namespace json = boost::json;
using asio::ip::tcp;

namespace {

constexpr std::chrono::milliseconds kPollInterval(5);

// One request and its answer over a connection of its own.
absl::StatusOr<http::response<http::string_body>> Exchange(const std::string& address, absl::string_view method,
                                                           absl::string_view path, std::string body) {
  absl::StatusOr<ListenAddress> where = ParseListenAddress(address);
  if (!where.ok()) return where.status();
  asio::io_context io;
  tcp::socket socket(io);
  boost::system::error_code error;
  socket.connect(tcp::endpoint(asio::ip::make_address(where->host), where->port), error);
  if (error) return absl::UnavailableError(absl::StrCat("simulator at ", address, ": ", error.message()));
  http::request<http::string_body> request;
  request.method_string({method.data(), method.size()});
  request.target(absl::StrCat("/_simulator/", path));
  request.set(http::field::host, address);
  request.set(http::field::connection, "close");
  request.body() = std::move(body);
  request.prepare_payload();
  http::write(socket, request, error);
  beast::flat_buffer buffer;
  http::response_parser<http::string_body> parser;
  parser.body_limit(boost::none);
  if (!error) http::read(socket, buffer, parser, error);
  if (error) return absl::UnavailableError(absl::StrCat("simulator at ", address, ": ", error.message()));
  return parser.release();
}

// The fields of a control answer; the simulator is trusted to send what it documents, so what is absent reads as empty.
std::string Text(const json::object& object, const char* name) {
  const json::value* value = object.if_contains(name);
  if (value == nullptr || !value->is_string()) return "";
  return std::string(value->get_string().data(), value->get_string().size());
}

std::string Bytes(const json::object& object, const char* name) {
  std::string bytes;
  const std::string base64 = Text(object, absl::StrCat(name, "_base64").c_str());
  return !base64.empty() && absl::Base64Unescape(base64, &bytes) ? bytes : Text(object, name);
}

template <typename Number>
Number NumberOf(const json::object& object, const char* name) {
  const json::value* value = object.if_contains(name);
  boost::system::error_code error;
  return value == nullptr || !value->is_number() ? Number{} : value->to_number<Number>(error);
}

RecordedRequest ReadRequest(const json::object& object) {
  RecordedRequest request;
  request.sequence = NumberOf<uint64_t>(object, "sequence");
  request.method = Text(object, "method");
  request.target = Text(object, "target");
  for (const auto& header : object.at("headers").as_object()) {
    request.headers.emplace_back(std::string(header.key()), std::string(header.value().as_string()));
  }
  request.body = Bytes(object, "body");
  request.connection_id = NumberOf<uint64_t>(object, "connection_id");
  request.remote_address = Text(object, "remote_address");
  request.arrived_us = NumberOf<int64_t>(object, "arrived_us");
  request.answered_status = NumberOf<int>(object, "answered_status");
  request.request_id = Text(object, "request_id");
  request.message_id = Text(object, "message_id");
  return request;
}

Delivery ReadDelivery(const json::object& object) {
  Delivery delivery;
  delivery.sequence = NumberOf<uint64_t>(object, "sequence");
  delivery.event = Text(object, "event");
  delivery.delivery_id = Text(object, "delivery_id");
  delivery.body = Bytes(object, "body");
  delivery.state = ParseDeliveryState(Text(object, "state"));
  for (const json::value& value : object.at("attempts").as_array()) {
    const json::object& from = value.as_object();
    DeliveryAttempt& attempt = delivery.attempts.emplace_back();
    attempt.number = NumberOf<int>(from, "number");
    attempt.started_us = NumberOf<int64_t>(from, "started_us");
    attempt.ended_us = NumberOf<int64_t>(from, "ended_us");
    attempt.status = NumberOf<int>(from, "status");
    attempt.error = Text(from, "error");
  }
  return delivery;
}

void AddText(json::object& object, const char* name, const std::string& text) {
  if (!text.empty()) object[name] = text;
}

void AddMilliseconds(json::object& object, const char* name, std::optional<absl::Duration> duration) {
  if (duration) object[name] = absl::ToDoubleMilliseconds(*duration);
}

void AddCount(json::object& object, const char* name, std::optional<int64_t> count) {
  if (count) object[name] = *count;
}

void AddTime(json::object& object, const char* name, absl::Time time) {
  if (time != absl::Time()) object[name] = Iso8601(time);
}

}  // namespace

absl::StatusOr<json::value> ControlClient::Call(absl::string_view method, absl::string_view path,
                                                const json::value& body) const {
  auto answer = Exchange(address_, method, path, body.is_null() ? "" : json::serialize(body));
  if (!answer.ok()) return answer.status();
  boost::system::error_code error;
  json::value value = json::parse(answer->body(), error);
  if (error) return absl::InternalError("the simulator's answer is not JSON");
  if (answer->result_int() == 200) return value;
  const std::string message = value.is_object() ? Text(value.get_object(), "error") : "";
  return answer->result_int() == 409 ? absl::FailedPreconditionError(message) : absl::InvalidArgumentError(message);
}

absl::Status ControlClient::Do(absl::string_view method, absl::string_view path, const json::value& body) const {
  return Call(method, path, body).status();
}

absl::StatusOr<std::string> ControlClient::Event(absl::string_view path, const json::value& body) const {
  absl::StatusOr<json::value> answer = Call("POST", path, body);
  if (!answer.ok()) return answer.status();
  return Text(answer->as_object(), "delivery_id");
}

absl::Status ControlClient::QueueFault(const Fault& fault) const { return Do("POST", "faults", FaultJson(fault)); }
absl::Status ControlClient::ClearFaults() const { return Do("DELETE", "faults"); }

absl::Status ControlClient::SetSeededFaults(const SeededFaultRates& rates) const {
  return Do("PUT", "seeded-faults",
            json::object{{"seed", static_cast<int64_t>(rates.seed)},
                         {"drop", rates.drop},
                         {"lose_answer", rates.lose_answer},
                         {"error", rates.error},
                         {"delay", rates.delay},
                         {"duplicate", rates.duplicate},
                         {"reorder", rates.reorder},
                         {"webhook_delay", rates.webhook_delay},
                         {"longest_delay_ms", absl::ToDoubleMilliseconds(rates.longest_delay)}});
}

absl::StatusOr<std::vector<RecordedRequest>> ControlClient::Requests(uint64_t after) const {
  absl::StatusOr<json::value> answer = Call("GET", absl::StrCat("requests?after=", after));
  if (!answer.ok()) return answer.status();
  std::vector<RecordedRequest> requests;
  for (const json::value& value : answer->at("requests").as_array()) requests.push_back(ReadRequest(value.as_object()));
  return requests;
}

absl::Status ControlClient::ClearRequests() const { return Do("DELETE", "requests"); }

absl::StatusOr<std::vector<RecordedRequest>> ControlClient::WaitForRequests(size_t count,
                                                                            absl::Duration timeout) const {
  const absl::Time deadline = absl::Now() + timeout;
  for (;;) {
    absl::StatusOr<std::vector<RecordedRequest>> requests = Requests();
    if (!requests.ok() || requests->size() >= count) return requests;
    if (absl::Now() > deadline) {
      return absl::DeadlineExceededError(
          absl::StrCat("the simulator has seen ", requests->size(), " of ", count, " requests"));
    }
    std::this_thread::sleep_for(kPollInterval);
  }
}

absl::Status ControlClient::SetSession(absl::string_view id, absl::string_view state, absl::string_view account) const {
  return Do("PUT", "sessions",
            json::object{{"session_id", ToJson(id)}, {"state", ToJson(state)}, {"account", ToJson(account)}});
}

absl::Status ControlClient::SetKey(absl::string_view key, absl::string_view state, absl::string_view account) const {
  return Do("PUT", "keys", json::object{{"key", ToJson(key)}, {"state", ToJson(state)}, {"account", ToJson(account)}});
}

absl::Status ControlClient::SetQuota(const QuotaChange& change) const {
  json::object body{{"account", change.account}};
  AddCount(body, "daily_limit", change.daily_limit);
  AddCount(body, "daily_used", change.daily_used);
  AddMilliseconds(body, "daily_reset_in_ms", change.daily_reset_in);
  AddCount(body, "trial_limit", change.trial_limit);
  AddCount(body, "trial_used", change.trial_used);
  AddMilliseconds(body, "trial_reset_in_ms", change.trial_reset_in);
  return Do("PUT", "quota", body);
}

absl::Status ControlClient::ClearAuthFailures() const { return Do("DELETE", "auth-failures"); }

absl::Status ControlClient::SetWebhook(absl::string_view url, absl::string_view secret,
                                       absl::string_view account) const {
  json::object body{{"account", ToJson(account)}, {"url", ToJson(url)}};
  if (!secret.empty()) body["secret"] = ToJson(secret);
  return Do("PUT", "webhooks", body);
}

absl::Status ControlClient::SetWebhookSecret(absl::string_view secret, absl::string_view account) const {
  return Do("PUT", "webhooks", json::object{{"account", ToJson(account)}, {"secret", ToJson(secret)}});
}

absl::Status ControlClient::EnableWebhook(bool enabled, absl::string_view account) const {
  return Do("PUT", "webhooks", json::object{{"account", ToJson(account)}, {"enabled", enabled}});
}

absl::StatusOr<bool> ControlClient::IsWebhookEnabled(absl::string_view account) const {
  absl::StatusOr<json::value> answer = Call("GET", "webhooks");
  if (!answer.ok()) return answer.status();
  for (const json::value& endpoint : answer->at("webhooks").as_array()) {
    if (Text(endpoint.as_object(), "account") == account) return endpoint.at("enabled").as_bool();
  }
  return absl::NotFoundError(absl::StrCat("the simulator has no account ", account));
}

absl::StatusOr<std::string> ControlClient::SendInbound(const InboundMessage& message, absl::string_view account) const {
  json::object body{{"account", ToJson(account)}, {"type", message.type}, {"test", message.test}};
  AddText(body, "delivery_id", message.delivery_id);
  AddText(body, "session_id", message.session_id);
  AddText(body, "from", message.from);
  AddText(body, "message_id", message.message_id);
  AddText(body, "body", message.body);
  AddTime(body, "received_at", message.received_at);
  return Event("events/inbound", body);
}

absl::StatusOr<std::string> ControlClient::SendStatus(const MessageStatus& status, absl::string_view account) const {
  json::object body{{"account", ToJson(account)}, {"test", status.test}};
  AddText(body, "delivery_id", status.delivery_id);
  AddText(body, "session_id", status.session_id);
  AddText(body, "message_id", status.message_id);
  AddText(body, "status", status.status);
  AddText(body, "to", status.to);
  AddTime(body, "occurred_at", status.occurred_at);
  return Event("events/status", body);
}

absl::StatusOr<std::string> ControlClient::SendTest(absl::string_view account) const {
  return Event("events/test", json::object{{"account", ToJson(account)}});
}

absl::StatusOr<std::string> ControlClient::SendRaw(const Delivery& delivery, absl::string_view account) const {
  json::object headers;
  for (const auto& [name, value] : delivery.extra_headers) headers[name] = value;
  json::object body{{"account", ToJson(account)},          {"event", delivery.event},
                    {"delivery_id", delivery.delivery_id}, {"body_base64", absl::Base64Escape(delivery.body)},
                    {"attempt", delivery.next_attempt},    {"headers", std::move(headers)}};
  if (delivery.signature) body["signature"] = *delivery.signature;
  return Event("events/raw", body);
}

absl::StatusOr<std::vector<Delivery>> ControlClient::Deliveries(absl::string_view account) const {
  absl::StatusOr<json::value> answer = Call("GET", absl::StrCat("deliveries?account=", account));
  if (!answer.ok()) return answer.status();
  std::vector<Delivery> deliveries;
  for (const json::value& value : answer->at("deliveries").as_array()) {
    deliveries.push_back(ReadDelivery(value.as_object()));
  }
  return deliveries;
}

absl::Status ControlClient::ClearDeliveries() const { return Do("DELETE", "deliveries"); }

absl::StatusOr<std::vector<Delivery>> ControlClient::WaitForDeliveries(size_t count, absl::Duration timeout,
                                                                       absl::string_view account) const {
  const absl::Time deadline = absl::Now() + timeout;
  for (;;) {
    absl::StatusOr<std::vector<Delivery>> deliveries = Deliveries(account);
    if (!deliveries.ok()) return deliveries;
    size_t done = 0;
    for (const Delivery& delivery : *deliveries) done += delivery.is_done() ? 1 : 0;
    if (done >= count) return deliveries;
    if (absl::Now() > deadline) {
      return absl::DeadlineExceededError(absl::StrCat(done, " of ", count, " deliveries are done with"));
    }
    std::this_thread::sleep_for(kPollInterval);
  }
}

absl::Status ControlClient::StartBlast(const BlastRequest& request) const {
  return Do("POST", "blast",
            json::object{{"account", request.account},
                         {"count", request.count},
                         {"concurrency", request.concurrency},
                         {"rate_per_second", request.rate_per_second},
                         {"retry", request.retry},
                         {"keep_ids", request.keep_ids},
                         {"open_loop", request.open_loop},
                         {"peers", request.peers},
                         {"body_characters", request.body_characters}});
}

absl::Status ControlClient::StopBlast() const { return Do("DELETE", "blast"); }

absl::StatusOr<BlastReport> ControlClient::ReadBlast() const {
  absl::StatusOr<json::value> answer = Call("GET", "blast");
  if (!answer.ok()) return answer.status();
  const json::object& object = answer->as_object();
  BlastReport report;
  report.running = object.at("running").as_bool();
  report.sent = NumberOf<int64_t>(object, "sent");
  report.delivered = NumberOf<int64_t>(object, "delivered");
  report.held = NumberOf<int64_t>(object, "held");
  report.elapsed_us = NumberOf<double>(object, "elapsed_us");
  report.delivered_per_second = NumberOf<double>(object, "delivered_per_second");
  report.p50_us = NumberOf<double>(object, "p50_us");
  report.p99_us = NumberOf<double>(object, "p99_us");
  report.max_us = NumberOf<double>(object, "max_us");
  report.last_error = Text(object, "last_error");
  return report;
}

absl::StatusOr<BlastReport> ControlClient::WaitForBlast(absl::Duration timeout) const {
  const absl::Time deadline = absl::Now() + timeout;
  for (;;) {
    absl::StatusOr<BlastReport> report = ReadBlast();
    if (!report.ok() || !report->running) return report;
    if (absl::Now() > deadline) {
      return absl::DeadlineExceededError(absl::StrCat(report->delivered, " webhooks are delivered, and it runs still"));
    }
    std::this_thread::sleep_for(10 * kPollInterval);
  }
}

absl::StatusOr<std::vector<std::string>> ControlClient::DeliveredIds() const {
  absl::StatusOr<json::value> answer = Call("GET", "blast/ids");
  if (!answer.ok()) return answer.status();
  std::vector<std::string> ids;
  for (const json::value& id : answer->at("delivered_ids").as_array()) ids.emplace_back(std::string(id.as_string()));
  return ids;
}

absl::Status ControlClient::Reset() const { return Do("POST", "reset"); }

}  // namespace aulm::simulator
