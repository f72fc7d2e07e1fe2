#include "tests/simulator/follow_up.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "tests/simulator/uuid.h"
#include "tests/simulator/webhook_event.h"

namespace aulm::simulator {
namespace {

using Effect = MagicNumber::Effect;

template <typename Event>
void Deliver(DeliveryQueue& webhooks, absl::string_view name, Event event) {
  event.delivery_id = NewUuid();
  Delivery delivery;
  delivery.event = std::string(name);
  delivery.delivery_id = event.delivery_id;
  delivery.body = WebhookBody(event);
  webhooks.Add(std::move(delivery));
}

}  // namespace

std::vector<std::string> FollowUp::StatusesFor(const MagicNumber* magic) const {
  if (magic != nullptr && magic->effect == Effect::kSilent) return {};
  if (magic != nullptr && magic->effect == Effect::kFails) return {"sent", "failed"};
  std::vector<std::string> statuses = settings_.statuses;
  if (magic != nullptr && magic->effect == Effect::kPlayed) statuses.push_back("played");
  return statuses;
}

void FollowUp::Accepted(Account& account, const SendRequest& send, const std::string& message_id,
                        const MagicNumber* magic) {
  if (account.webhooks->endpoint().url.empty()) return;  // nobody to tell
  DeliveryQueue& webhooks = *account.webhooks;
  absl::Duration delay;
  for (const std::string& status : StatusesFor(magic)) {
    delay += settings_.status_delay;
    scheduler_.After(delay, [&webhooks, status, message_id, session = send.session_id, to = send.to] {
      MessageStatus event;
      event.session_id = session;
      event.message_id = message_id;
      event.status = status;
      event.to = to;
      event.occurred_at = absl::Now();
      Deliver(webhooks, "message_status", std::move(event));
    });
  }
  if (!settings_.echo && (magic == nullptr || magic->effect != Effect::kEcho)) return;
  scheduler_.After(settings_.echo_delay, [&webhooks, session = send.session_id, from = send.to, text = send.text] {
    InboundMessage event;
    event.session_id = session;
    event.from = from;
    event.message_id = NewEngineMessageId();
    event.body = absl::StrCat("echo: ", text);
    event.received_at = absl::Now();
    Deliver(webhooks, "inbound_message", std::move(event));
  });
}

}  // namespace aulm::simulator
