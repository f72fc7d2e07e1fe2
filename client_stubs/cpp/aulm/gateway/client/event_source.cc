#include "aulm/gateway/client/event_source.h"

#include <algorithm>
#include <utility>

namespace aulm::gateway::client {
namespace {

// The longest that a look at the saving of the position is put off: a handler may have ended since.
constexpr absl::Duration kPatience = absl::Seconds(1);

bool StartsAtLatest(const v1::SubscribeEventsRequest& request) {
  return request.start_case() == v1::SubscribeEventsRequest::START_NOT_SET ||
         (request.has_position() && request.position() != v1::START_POSITION_EARLIEST);
}

std::unique_ptr<AcknowledgedPosition> PositionOf(const std::shared_ptr<grpc::ChannelInterface>& channel,
                                                 const v1::SubscribeEventsRequest& request) {
  if (request.subscription().empty()) return nullptr;
  return std::make_unique<AcknowledgedPosition>(channel, request.subscription());
}

CallError SharedIsConsumed(const std::string& subscription) {
  return WrongMode(subscription, "SHARED", "SharedConsumer");
}

}  // namespace

EventSource::EventSource(const std::shared_ptr<grpc::ChannelInterface>& channel, FollowOptions options)
    : options_(std::move(options)),
      acknowledged_(PositionOf(channel, options_.request)),
      position_(durable() ? acknowledged_.get() : options_.cursor_store, durable(), options_.cursor_save_interval,
                options_.notices.on_not_saved),
      frames_(channel,
              {.next_request = [this] { return NextRequest(); },
               .on_interrupted = [this] { position_.Save().IgnoreError(); },  // Next looks at what it failed with
               .least_backoff = options_.least_backoff,
               .most_backoff = options_.most_backoff,
               .longest_silence = LongestSilence(options_.request)},
              options_.notices) {}

std::optional<EventSource::Received> EventSource::Next() {
  if (!std::exchange(begun_, true)) Begin();
  while (!error().has_value() && !frames_.stopped()) {
    if (!waiting_.empty()) {
      Received next = std::move(waiting_.front());
      waiting_.pop_front();
      return next;
    }
    std::optional<v1::SubscribeEventsResponse> frame = frames_.Take(std::min(kPatience, position_.UntilSave()));
    if (frame.has_value()) Accept(*std::move(frame));
    if (const absl::Status saved = position_.SaveIfDue(); !saved.ok()) Fail(saved);
  }
  return std::nullopt;
}

void EventSource::Finish() {
  position_.Save().IgnoreError();  // what may pass is told of, the rest is the failure
  if (const absl::Status failure = position_.failure(); !failure.ok() && !error().has_value()) Fail(failure);
  frames_.Close();
}

void EventSource::Fail(const absl::Status& status) {
  error_.emplace();
  error_->code = static_cast<grpc::StatusCode>(status.code());
  error_->message = std::string(status.message());
}

void EventSource::Begin() {
  if (durable() && options_.cursor_store != nullptr) {
    return Fail(absl::InvalidArgumentError(
        "cursor_store: a durable subscription keeps its position in the gateway; give one of them"));
  }
  absl::StatusOr<std::string> cursor = position_.Load();
  if (cursor.ok()) {
    received_ = *std::move(cursor);
  } else {
    return Fail(cursor.status());
  }
  if (durable()) CheckMode();
}

// Before any stream: a delivery of a subscription in mode SHARED counts as an attempt.
void EventSource::CheckMode() {
  const std::string& name = options_.request.subscription();
  const CallResult<v1::Subscription> found = frames_.FindSubscription(name);
  if (found.ok()) {
    if (found->mode() == v1::SUBSCRIPTION_MODE_SHARED) error_ = SharedIsConsumed(name);
    // Following needs no right to ask.
  } else if (!frames_.stopped() && found.error().code != grpc::StatusCode::PERMISSION_DENIED) {
    error_ = found.error();
  }
}

v1::SubscribeEventsRequest EventSource::NextRequest() {
  v1::SubscribeEventsRequest request = options_.request;
  // Once: the consumer that ends this one by a takeover is not to be ended in turn.
  if (has_started_) request.clear_take_over();
  if (durable()) {
    repeats_ = position_.NotSavedYet();
  } else if (!received_.empty()) {
    request.set_after_cursor(received_);
  }
  return request;
}

void EventSource::Accept(v1::SubscribeEventsResponse frame) {
  switch (frame.frame_case()) {
    case v1::SubscribeEventsResponse::kStarted:
      has_started_ = true;
      // Held on to, or an interruption before the first event would start at a newer "latest" and skip what came
      // between.
      if (received_.empty() && !durable() && StartsAtLatest(options_.request)) MoveTo(frame.started().head_cursor());
      break;
    case v1::SubscribeEventsResponse::kEventBatch:
      for (v1::Delivery& delivery : *frame.mutable_event_batch()->mutable_deliveries()) {
        if (!delivery.ack_token().empty()) {
          error_ = SharedIsConsumed(options_.request.subscription());
          return;
        }
        if (repeats_.contains(delivery.event().cursor())) continue;
        repeats_.clear();  // the log's order: none comes after an event that is new
        const uint64_t number = position_.Add(delivery.event().cursor());
        waiting_.push_back({number, std::move(*delivery.mutable_event())});
      }
      MoveTo(frame.event_batch().resume_cursor());
      break;
    case v1::SubscribeEventsResponse::kHeartbeat:
      MoveTo(frame.heartbeat().resume_cursor());
      break;
    case v1::SubscribeEventsResponse::kGap:
      MoveTo(frame.gap().to_cursor());
      break;
    case v1::SubscribeEventsResponse::kDrain:
      MoveTo(frame.drain().resume_cursor());
      break;
    case v1::SubscribeEventsResponse::FRAME_NOT_SET:
      break;  // of a newer gateway: a sign of life
  }
}

void EventSource::MoveTo(const std::string& cursor) {
  if (cursor.empty()) return;
  received_ = cursor;
  position_.MoveTo(cursor);
}

}  // namespace aulm::gateway::client
