#include "aulm/gateway/client/shared_consumer.h"

#include <iostream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "aulm/gateway/client/conversation_lanes.h"
#include "aulm/gateway/client/settler.h"

namespace aulm::gateway::client {
namespace {

constexpr size_t kMostOutstanding = 10'000;  // the contract allows no more
constexpr absl::Duration kPatience = absl::Seconds(1);
constexpr absl::Duration kUsualAckDeadline = absl::Seconds(30);

void Set(google::protobuf::Duration& duration, absl::Duration value) {
  duration.set_seconds(absl::IDivDuration(value, absl::Seconds(1), &value));
  duration.set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(value)));
}

v1::SubscribeEventsRequest RequestOf(const ConsumeOptions& options) {
  v1::SubscribeEventsRequest request;
  request.set_subscription(options.subscription);
  request.set_consumer_id(options.consumer_id);
  request.set_max_outstanding_events(options.max_outstanding_events);
  request.set_include_raw_body(options.include_raw_body);
  if (options.heartbeat_interval > absl::ZeroDuration()) {
    Set(*request.mutable_heartbeat_interval(), options.heartbeat_interval);
  }
  return request;
}

v1::Settlement SettlementOf(const v1::Delivery& delivery, const Verdict& verdict) {
  v1::Settlement settlement;
  settlement.set_ack_token(delivery.ack_token());
  settlement.set_action(verdict.action);
  if (verdict.delay.has_value()) Set(*settlement.mutable_delay(), *verdict.delay);
  return settlement;
}

}  // namespace

SharedConsumer::SharedConsumer(const std::shared_ptr<grpc::ChannelInterface>& channel, ConsumeOptions options,
                               Handler handler)
    : channel_(channel),
      options_(std::move(options)),
      handler_(std::move(handler)),
      frames_(channel,
              {.next_request = [this] { return RequestOf(options_); },
               .on_interrupted = nullptr,
               .least_backoff = options_.least_backoff,
               .most_backoff = options_.most_backoff,
               .longest_silence = LongestSilence(RequestOf(options_))},
              options_.notices) {}

SharedConsumer::~SharedConsumer() = default;

absl::Status SharedConsumer::Run() {
  const std::optional<absl::Duration> ack_deadline = AckDeadline();
  if (!ack_deadline.has_value()) return error_.has_value() ? ToStatus(*error_) : absl::OkStatus();
  Settler settler(channel_, {.subscription = options_.subscription,
                             .ack_deadline = *ack_deadline,
                             .longest_handling = options_.longest_handling,
                             .on_not_saved = options_.notices.on_not_saved});
  {
    ConversationLanes lanes(options_.concurrency, kMostOutstanding);
    {
      absl::MutexLock lock(&mu_);
      running_ = &lanes;
    }
    while (!frames_.stopped() && !frames_.error().has_value()) {
      std::optional<v1::SubscribeEventsResponse> frame = frames_.Take(kPatience);
      if (frame.has_value()) Accept(std::move(*frame->mutable_event_batch()), settler, lanes);
    }
    {
      absl::MutexLock lock(&mu_);
      running_ = nullptr;
    }
    if (const absl::Status wrong = lanes.Join(); !wrong.ok()) {
      error_.emplace();
      error_->code = static_cast<grpc::StatusCode>(wrong.code());
      error_->message = std::string(wrong.message());
    }
  }
  settler.Finish();
  frames_.Close();  // only now: tokens end with their stream
  if (!error_.has_value()) error_ = frames_.error();
  return error_.has_value() ? ToStatus(*error_) : absl::OkStatus();
}

void SharedConsumer::Stop() {
  frames_.Stop();
  absl::MutexLock lock(&mu_);
  if (running_ != nullptr) running_->Close();
}

// The subscription's, which the gateway tells. nullopt when stopped or refused.
std::optional<absl::Duration> SharedConsumer::AckDeadline() {
  const CallResult<v1::Subscription> found = frames_.FindSubscription(options_.subscription);
  if (!found.ok()) {
    if (!frames_.stopped()) error_ = found.error();
    return std::nullopt;
  }
  if (found->mode() == v1::SUBSCRIPTION_MODE_CURSOR) {
    error_ =
        WrongMode(options_.subscription, "CURSOR", "EventFollower or EventSubscriber with a request that names it");
    return std::nullopt;
  }
  const google::protobuf::Duration& told = found->ack_deadline();
  const absl::Duration deadline = absl::Seconds(told.seconds()) + absl::Nanoseconds(told.nanos());
  return deadline > absl::ZeroDuration() ? deadline : kUsualAckDeadline;
}

// An error where the handler's answer settles nothing.
absl::Status SharedConsumer::Handle(const v1::Delivery& delivery, Settler& settler) {
  const absl::StatusOr<Verdict> verdict = handler_(delivery);
  if (!verdict.ok()) {
    if (options_.notices.on_handler_failed) {
      options_.notices.on_handler_failed(verdict.status(), delivery);
    } else {
      std::cerr << "aulm gateway: the handler of an event failed; it is delivered again: " << verdict.status()
                << std::endl;
    }
    settler.Settle(SettlementOf(delivery, Verdict::Retry()));
    return absl::OkStatus();
  }
  switch (verdict->action) {
    case v1::SETTLEMENT_ACTION_ACK:
    case v1::SETTLEMENT_ACTION_RETRY:
    case v1::SETTLEMENT_ACTION_PARK:
    case v1::SETTLEMENT_ACTION_SKIP:
      settler.Settle(SettlementOf(delivery, *verdict));
      return absl::OkStatus();
    default:
      return absl::InvalidArgumentError(absl::StrCat("the handler returned a Verdict of ",
                                                     v1::SettlementAction_Name(verdict->action),
                                                     ": its action is ACK, RETRY, PARK or SKIP"));
  }
}

void SharedConsumer::Accept(v1::EventBatch batch, Settler& settler, ConversationLanes& lanes) {
  for (v1::Delivery& received : *batch.mutable_deliveries()) {
    settler.Take(received.ack_token());
    const auto delivery = std::make_shared<const v1::Delivery>(std::move(received));
    lanes.Submit({.conversation = ConversationOf(delivery->event()),
                  .run =
                      [this, delivery, &settler] {
                        absl::Status status = Handle(*delivery, settler);
                        if (!status.ok()) frames_.Stop();
                        return status;
                      },
                  // Handed back at once, rather than when its time is up.
                  .drop = [delivery, &settler] { settler.Settle(SettlementOf(*delivery, Verdict::Retry())); }});
  }
}

}  // namespace aulm::gateway::client
