#include "tests/simulator/control_webhooks.h"

#include <algorithm>
#include <boost/json.hpp>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "tests/simulator/control_json.h"
#include "tests/simulator/json_fields.h"
#include "tests/simulator/session_table.h"
#include "tests/simulator/uuid.h"
#include "tests/simulator/webhook_event.h"

namespace aulm::simulator {

namespace json = boost::json;

namespace {

constexpr absl::string_view kSomebody = "+966512345678";

json::value Sent(const std::string& delivery_id, uint64_t sequence) {
  return json::object{{"delivery_id", delivery_id}, {"sequence", sequence}};
}

Delivery MakeDelivery(absl::string_view event, const std::string& delivery_id, std::string body) {
  Delivery delivery;
  delivery.event = std::string(event);
  delivery.delivery_id = delivery_id;
  delivery.body = std::move(body);
  return delivery;
}

// Reads a time of the control API: RFC 3339, or now when absent.
absl::Status ReadTime(JsonFields& fields, absl::string_view name, absl::Time& time) {
  time = absl::Now();
  const std::optional<std::string> text = fields.String(name);
  std::string error;
  if (text && !absl::ParseTime(absl::RFC3339_full, *text, &time, &error)) {
    return absl::InvalidArgumentError(absl::StrCat(name, ": must be a time like 2026-05-28T10:15:42.000Z"));
  }
  return absl::OkStatus();
}

InboundMessage ReadInbound(JsonFields& fields) {
  InboundMessage message;
  message.delivery_id = fields.String("delivery_id").value_or(NewUuid());
  message.session_id = fields.String("session_id").value_or(std::string(SessionTable::kConnected));
  message.from = fields.String("from").value_or(std::string(kSomebody));
  message.message_id = fields.String("message_id").value_or(NewEngineMessageId());
  message.type = fields.String("type").value_or("text");
  message.body = fields.String("body").value_or("hi");
  message.test = fields.Bool("test").value_or(false);
  return message;
}

}  // namespace

ControlWebhooks::Result ControlWebhooks::ListEndpoints() {
  json::array endpoints;
  for (const auto& [name, account] : accounts_.accounts()) {
    const DeliveryQueue& webhooks = *account.webhooks;
    endpoints.push_back(json::object{{"account", name},
                                     {"url", webhooks.endpoint().url},
                                     {"enabled", webhooks.endpoint().enabled},
                                     {"consecutive_failures", webhooks.endpoint().consecutive_failures},
                                     {"queued", webhooks.queued()},
                                     {"in_flight", webhooks.in_flight()}});
  }
  return json::object{{"webhooks", std::move(endpoints)}};
}

ControlWebhooks::Result ControlWebhooks::PutEndpoint(const json::value& body) {
  JsonFields fields(body);
  const std::string account = fields.String("account").value_or("default");
  const std::optional<std::string> url = fields.String("url");
  std::optional<std::string> secret = fields.String("secret");
  const std::optional<bool> enabled = fields.Bool("enabled");
  if (absl::Status status = fields.Finish(); !status.ok()) return status;
  DeliveryQueue& webhooks = *accounts_.Get(account).webhooks;
  if (url) {
    if (absl::Status status = webhooks.SetUrl(*url); !status.ok()) return status;
  }
  if (secret) webhooks.SetSecret(*std::move(secret));
  if (enabled) webhooks.SetEnabled(*enabled);
  return json::object{};
}

ControlWebhooks::Result ControlWebhooks::SendInbound(const json::value& body) {
  JsonFields fields(body);
  const std::string account = fields.String("account").value_or("default");
  InboundMessage message = ReadInbound(fields);
  absl::Status status = ReadTime(fields, "received_at", message.received_at);
  status.Update(fields.Finish());
  if (!status.ok()) return status;
  Delivery delivery = MakeDelivery("inbound_message", message.delivery_id, WebhookBody(message));
  return Sent(message.delivery_id, accounts_.Get(account).webhooks->Add(std::move(delivery)));
}

ControlWebhooks::Result ControlWebhooks::SendStatus(const json::value& body) {
  JsonFields fields(body);
  const std::string account = fields.String("account").value_or("default");
  MessageStatus event;
  event.delivery_id = fields.String("delivery_id").value_or(NewUuid());
  event.session_id = fields.String("session_id").value_or(std::string(SessionTable::kConnected));
  event.message_id = fields.String("message_id").value_or(NewEngineMessageId());
  event.status = fields.String("status").value_or("delivered");
  event.to = fields.String("to").value_or(std::string(kSomebody));
  event.test = fields.Bool("test").value_or(false);
  absl::Status status = ReadTime(fields, "occurred_at", event.occurred_at);
  status.Update(fields.Finish());
  if (!status.ok()) return status;
  Delivery delivery = MakeDelivery("message_status", event.delivery_id, WebhookBody(event));
  return Sent(event.delivery_id, accounts_.Get(account).webhooks->Add(std::move(delivery)));
}

ControlWebhooks::Result ControlWebhooks::SendTest(const json::value& body) {
  json::value test = body;
  if (json::object* object = test.if_object()) (*object)["test"] = true;
  return SendInbound(test);
}

ControlWebhooks::Result ControlWebhooks::SendRaw(const json::value& body) {
  JsonFields fields(body);
  const std::string account = fields.String("account").value_or("default");
  Delivery delivery;
  delivery.event = fields.String("event").value_or("inbound_message");
  delivery.delivery_id = fields.String("delivery_id").value_or(NewUuid());
  delivery.body = fields.Bytes("body").value_or("");
  delivery.signature = fields.String("signature");
  delivery.next_attempt = static_cast<int>(fields.Integer("attempt").value_or(1));
  if (const json::value* headers = fields.Any("headers")) {
    const json::object* object = headers->if_object();
    if (object == nullptr) return absl::InvalidArgumentError("headers: must be an object of strings");
    for (const auto& field : *object) {
      if (!field.value().is_string()) return absl::InvalidArgumentError("headers: must be an object of strings");
      const json::string& value = field.value().get_string();
      delivery.extra_headers.emplace_back(std::string(field.key()), std::string(value.data(), value.size()));
    }
  }
  if (absl::Status status = fields.Finish(); !status.ok()) return status;
  const std::string delivery_id = delivery.delivery_id;
  return Sent(delivery_id, accounts_.Get(account).webhooks->Add(std::move(delivery)));
}

ControlWebhooks::Result ControlWebhooks::ListDeliveries(const HttpRequest& request) {
  uint64_t after = 0;
  if (const absl::string_view text = request.QueryValue("after"); !text.empty() && !absl::SimpleAtoi(text, &after)) {
    return absl::InvalidArgumentError("after: must be the sequence of a delivery");
  }
  const absl::string_view account = request.QueryValue("account");
  json::array deliveries;
  for (const auto& [name, owner] : accounts_.accounts()) {
    if (!account.empty() && account != name) continue;
    for (const auto& delivery : owner.webhooks->deliveries()) {
      if (delivery->sequence > after) deliveries.push_back(DeliveryJson(*delivery, name));
    }
  }
  return json::object{{"deliveries", std::move(deliveries)}};
}

void ControlWebhooks::ClearDeliveries() {
  for (auto& [name, account] : accounts_.accounts()) account.webhooks->Clear();
}

ControlWebhooks::Result ControlWebhooks::StartBlast(const json::value& body) {
  JsonFields fields(body);
  DeliveryQueue& webhooks = *accounts_.Get(fields.String("account").value_or("default")).webhooks;
  Blast::Settings settings;
  settings.url = webhooks.url();
  settings.secret = webhooks.endpoint().secret;
  settings.count = fields.Integer("count").value_or(settings.count);
  settings.concurrency = static_cast<int>(fields.Integer("concurrency").value_or(settings.concurrency));
  settings.rate_per_second = fields.Number("rate_per_second").value_or(0);
  settings.retry = fields.Bool("retry").value_or(false);
  settings.retry_delay = fields.Milliseconds("retry_delay_ms").value_or(settings.retry_delay);
  settings.timeout = fields.Milliseconds("timeout_ms").value_or(settings.timeout);
  settings.event = fields.String("event").value_or(settings.event);
  settings.session_id = fields.String("session_id").value_or(std::string(SessionTable::kConnected));
  settings.peers = static_cast<int>(fields.Integer("peers").value_or(settings.peers));
  settings.body_characters = static_cast<int>(fields.Integer("body_characters").value_or(settings.body_characters));
  settings.keep_ids = fields.Bool("keep_ids").value_or(false);
  settings.open_loop = fields.Bool("open_loop").value_or(false);
  if (absl::Status status = fields.Finish(); !status.ok()) return status;
  if (webhooks.endpoint().url.empty()) return absl::FailedPreconditionError("the account has no webhook URL yet");
  if (settings.count < 1 || settings.concurrency < 1 || settings.concurrency > 10'000 || settings.peers < 1 ||
      settings.body_characters < 0 || settings.rate_per_second < 0) {
    return absl::InvalidArgumentError(
        "count, peers: at least 1; concurrency: 1 to 10000; body_characters, rate_per_second: not negative");
  }
  if (settings.open_loop && settings.rate_per_second == 0) {
    return absl::InvalidArgumentError("open_loop: needs a rate_per_second");
  }
  if (absl::Status status = blast_.Start(std::move(settings)); !status.ok()) return status;
  return json::object{};
}

ControlWebhooks::Result ControlWebhooks::ReadBlast() const { return BlastJson(blast_.Read()); }

ControlWebhooks::Result ControlWebhooks::ReadBlastIds() const {
  const Blast::Result result = blast_.Read();
  json::array ids;
  ids.reserve(result.delivered_ids.size());
  for (const std::string& id : result.delivered_ids) ids.emplace_back(id);
  return json::object{{"delivered_ids", std::move(ids)}};
}

}  // namespace aulm::simulator
