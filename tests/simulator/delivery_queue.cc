#include "tests/simulator/delivery_queue.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/simulator/timestamps.h"

namespace aulm::simulator {
namespace asio = boost::asio;
namespace {

// How long a delivery that is held back waits for another to pass it.
constexpr absl::Duration kHoldBack = absl::Milliseconds(100);

}  // namespace

DeliveryQueue::DeliveryQueue(asio::io_context& io, asio::ssl::context& tls, Scheduler& scheduler, SeededFaults& faults,
                             Settings settings)
    : io_(io), tls_(tls), scheduler_(scheduler), faults_(faults), settings_(settings) {
  SetSecret("");
}

DeliveryQueue::~DeliveryQueue() = default;

absl::Status DeliveryQueue::SetUrl(const std::string& url) {
  if (!url.empty()) {
    absl::StatusOr<WebhookUrl> parsed = ParseWebhookUrl(url);
    if (!parsed.ok()) return parsed.status();
    url_ = *std::move(parsed);
  }
  endpoint_.url = url;
  idle_.clear();
  return absl::OkStatus();
}

void DeliveryQueue::SetSecret(std::string secret) {
  signer_ = std::make_unique<WebhookSigner>(secret);
  endpoint_.secret = std::move(secret);
}

void DeliveryQueue::SetEnabled(bool enabled) {
  endpoint_.enabled = enabled;
  if (enabled) endpoint_.consecutive_failures = 0;
}

uint64_t DeliveryQueue::Add(Delivery delivery) {
  auto shared = std::make_shared<Delivery>(std::move(delivery));
  shared->sequence = ++last_sequence_;
  EvictOldest();
  deliveries_.push_back(shared);
  const WebhookFault fault = faults_.DrawWebhook();
  shared->duplicate = fault.duplicate;
  if (fault.delay > absl::ZeroDuration()) {
    scheduler_.After(fault.delay, [this, shared, generation = generation_] {
      if (generation == generation_) Enqueue(shared);
    });
  } else if (fault.reorder) {
    held_back_.push_back(shared);
    scheduler_.After(kHoldBack, [this] { ReleaseHeldBack(); });
  } else {
    Enqueue(shared);
    ReleaseHeldBack();
  }
  return shared->sequence;
}

void DeliveryQueue::ReleaseHeldBack() {
  for (DeliveryPtr& delivery : std::exchange(held_back_, {})) Enqueue(std::move(delivery));
}

void DeliveryQueue::Enqueue(DeliveryPtr delivery) {
  if (endpoint_.url.empty() || !endpoint_.enabled) {
    delivery->state = Delivery::State::kDropped;
    return;
  }
  delivery->state = Delivery::State::kQueued;
  ready_.push_back(std::move(delivery));
  Pump();
}

void DeliveryQueue::Pump() {
  while (!ready_.empty() && in_flight_ < settings_.concurrency) {
    DeliveryPtr next = std::move(ready_.front());
    ready_.pop_front();
    ++in_flight_;
    next->state = Delivery::State::kInFlight;
    asio::co_spawn(io_, Attempt(std::move(next)), asio::detached);
  }
}

asio::awaitable<void> DeliveryQueue::Attempt(DeliveryPtr delivery) {
  std::unique_ptr<WebhookConnection> connection;
  if (idle_.empty()) {
    connection = std::make_unique<WebhookConnection>(io_, tls_, url_);
  } else {
    connection = std::move(idle_.back());
    idle_.pop_back();
  }
  const std::string request = RequestBytes(*delivery);
  DeliveryAttempt& started = delivery->attempts.emplace_back();
  started.number = delivery->next_attempt++;
  started.started_us = MonotonicMicros();
  const uint64_t generation = generation_;
  const WebhookAnswer answer = co_await connection->Post(request, settings_.timeout);
  DeliveryAttempt& attempt = delivery->attempts.back();
  attempt.ended_us = MonotonicMicros();
  attempt.status = answer.status;
  attempt.error = answer.error;
  --in_flight_;
  if (connection->url() == url_) idle_.push_back(std::move(connection));
  if (generation == generation_) Settle(delivery, answer);
  Pump();
}

void DeliveryQueue::Settle(const DeliveryPtr& delivery, const WebhookAnswer& answer) {
  const auto later = [this, delivery](absl::Duration delay) {
    delivery->state = Delivery::State::kWaiting;
    scheduler_.After(delay, [this, delivery, generation = generation_] {
      if (generation == generation_) Enqueue(delivery);
    });
  };
  const RetryPolicy& retry = settings_.retry;
  const int attempts = delivery->attempts.back().number;
  switch (RetryPolicy::Judge(answer.status)) {
    case RetryPolicy::Verdict::kDelivered:
      endpoint_.consecutive_failures = 0;
      if (std::exchange(delivery->duplicate, false)) {
        later(absl::ZeroDuration());
      } else {
        delivery->state = Delivery::State::kDelivered;
      }
      return;
    case RetryPolicy::Verdict::kPermanentFailure:
      delivery->state = Delivery::State::kFailed;
      CountFailure();
      return;
    case RetryPolicy::Verdict::kRetry:
      if (retry.max_attempts > 0 && attempts >= retry.max_attempts) {
        delivery->state = Delivery::State::kFailed;
        CountFailure();
        return;
      }
      if (settings_.count_every_attempt) CountFailure();
      later(retry.Delay(attempts, answer.status, answer.retry_after, absl::Now()));
      return;
  }
}

void DeliveryQueue::CountFailure() {
  ++endpoint_.consecutive_failures;
  if (settings_.auto_disable_after == 0 || endpoint_.consecutive_failures < settings_.auto_disable_after) return;
  endpoint_.enabled = false;
  for (const DeliveryPtr& delivery : std::exchange(ready_, {})) delivery->state = Delivery::State::kDropped;
}

void DeliveryQueue::Clear() {
  ++generation_;
  deliveries_.clear();
  ready_.clear();
  held_back_.clear();
}

void DeliveryQueue::EvictOldest() {
  while (deliveries_.size() >= settings_.max_kept && !deliveries_.empty() && deliveries_.front()->is_done()) {
    deliveries_.pop_front();
  }
}

std::string DeliveryQueue::RequestBytes(const Delivery& delivery) {
  std::string bytes = WebhookRequestHead(url_, delivery.body.size());
  if (!delivery.event.empty()) absl::StrAppend(&bytes, "x-aulm-event: ", delivery.event, "\r\n");
  if (!delivery.delivery_id.empty()) absl::StrAppend(&bytes, "x-aulm-delivery-id: ", delivery.delivery_id, "\r\n");
  absl::StrAppend(&bytes, "x-aulm-attempt: ", delivery.next_attempt, "\r\n");
  const std::string signature = delivery.signature.has_value() ? *delivery.signature : signer_->Sign(delivery.body);
  if (!signature.empty()) absl::StrAppend(&bytes, "x-aulm-signature: ", signature, "\r\n");
  for (const auto& [name, value] : delivery.extra_headers) absl::StrAppend(&bytes, name, ": ", value, "\r\n");
  absl::StrAppend(&bytes, "\r\n", delivery.body);
  return bytes;
}

}  // namespace aulm::simulator
