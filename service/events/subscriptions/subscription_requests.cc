#include "service/events/subscriptions/subscription_requests.h"

#include <algorithm>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "service/base/status_details.h"
#include "service/events/start_request.h"
#include "service/events/stream_spec.h"

namespace aulm::gateway {
namespace {

constexpr uint32_t kMaxPageSize = 1000;
constexpr int kMaxSettlements = 1000;
constexpr int kMaxReplays = 1000;
constexpr size_t kMaxPageTokenBytes = 128;
constexpr size_t kMaxFilterBytes = 48 * 1024;  // with the rest of its record it fits an entry of the state store

bool IsName(absl::string_view name) {
  const auto first = [](char c) { return absl::ascii_islower(c) || absl::ascii_isdigit(c); };
  return !name.empty() && name.size() <= 100 && first(name[0]) &&
         std::all_of(name.begin(), name.end(), [&](char c) { return first(c) || c == '.' || c == '_' || c == '-'; });
}

void CheckName(absl::string_view name, absl::string_view field, FieldViolations& bad) {
  if (!IsName(name)) bad.Add(field, "must be 1 to 100 characters of [a-z0-9._-], beginning with a letter or a digit");
}

// Nonsense of the wire counts as far too long.
absl::Duration FromProto(const google::protobuf::Duration& duration) {
  if (duration.nanos() < 0 || duration.nanos() > 999'999'999) return -absl::InfiniteDuration();
  return absl::Seconds(duration.seconds()) + absl::Nanoseconds(duration.nanos());
}

// A duration that may be absent, between two bounds.
google::protobuf::Duration CheckDuration(bool given, const google::protobuf::Duration& duration, absl::Duration least,
                                         absl::Duration most, absl::Duration otherwise, absl::string_view field,
                                         FieldViolations& bad) {
  if (!given) {
    google::protobuf::Duration filled_in;
    filled_in.set_seconds(absl::ToInt64Seconds(otherwise));
    return filled_in;
  }
  const absl::Duration value = FromProto(duration);
  if (value < least || value > most) {
    bad.Add(field, absl::StrCat("must be ", absl::FormatDuration(least), " to ", absl::FormatDuration(most)));
  }
  return duration;
}

void CheckPageSize(uint32_t page_size, FieldViolations& bad) {
  if (page_size > kMaxPageSize) bad.Add("page_size", absl::StrCat("must be 1 to ", kMaxPageSize, ", or 0 for 100"));
}

void CheckPageToken(absl::string_view token, FieldViolations& bad) {
  const bool sane = token.size() <= kMaxPageTokenBytes && std::all_of(token.begin(), token.end(), [](char c) {
                      return absl::ascii_isalnum(c) || c == '.' || c == '_' || c == '-';
                    });
  if (!sane) bad.Add("page_token", "must be the next_page_token of the page before");
}

}  // namespace

absl::Status CheckSubscriptionName(absl::string_view name, absl::string_view field) {
  FieldViolations bad;
  CheckName(name, field, bad);
  return bad.ToStatus();
}

absl::StatusOr<NewSubscription> CheckRequest(const v1::CreateSubscriptionRequest& request, absl::Time now) {
  NewSubscription checked;
  v1::Subscription& specification = checked.specification;
  specification = request.subscription();
  FieldViolations bad;
  CheckName(specification.name(), "name", bad);
  const bool shared = specification.mode() == v1::SUBSCRIPTION_MODE_SHARED;
  if (!shared && specification.mode() != v1::SUBSCRIPTION_MODE_CURSOR) bad.Add("mode", "must be CURSOR or SHARED");
  CheckFilter(specification.filter(), bad);
  if (specification.filter().ByteSizeLong() > kMaxFilterBytes) {
    bad.Add("filter",
            absl::StrCat("must be at most ", kMaxFilterBytes, " bytes in all: leave some entries to the consumer"));
  }
  CheckStart(specification, now, bad);
  specification.clear_create_time();
  specification.clear_stats();
  if (shared) {
    const v1::Subscription& asked = request.subscription();
    *specification.mutable_ack_deadline() =
        CheckDuration(asked.has_ack_deadline(), asked.ack_deadline(), absl::Seconds(1), absl::Hours(1),
                      absl::Seconds(30), "ack_deadline", bad);
    *specification.mutable_retry_delay() =
        CheckDuration(asked.has_retry_delay(), asked.retry_delay(), absl::ZeroDuration(), absl::Hours(1),
                      absl::Seconds(1), "retry_delay", bad);
    *specification.mutable_parked_retention() =
        CheckDuration(asked.has_parked_retention(), asked.parked_retention(), absl::Hours(1), absl::Hours(90 * 24),
                      absl::Hours(7 * 24), "parked_retention", bad);
    if (specification.max_attempts() > 1000) bad.Add("max_attempts", "must be 1 to 1000, or 0 for 10");
    if (specification.max_attempts() == 0) specification.set_max_attempts(10);
  } else if (specification.mode() == v1::SUBSCRIPTION_MODE_CURSOR) {
    constexpr absl::string_view kShared = "is of mode SHARED: leave it out";
    if (specification.has_ack_deadline()) bad.Add("ack_deadline", kShared);
    if (specification.has_retry_delay()) bad.Add("retry_delay", kShared);
    if (specification.has_parked_retention()) bad.Add("parked_retention", kShared);
    if (specification.max_attempts() != 0) bad.Add("max_attempts", kShared);
  }
  if (!bad.empty()) return bad.ToStatus();
  absl::StatusOr<LogStart> start = ToStart(specification);
  if (!start.ok()) return start.status();
  checked.start = *std::move(start);
  return checked;
}

absl::StatusOr<LogStart> CheckRequest(const v1::SeekSubscriptionRequest& request, absl::Time now) {
  FieldViolations bad;
  CheckName(request.name(), "name", bad);
  v1::ReadEventsRequest target;
  switch (request.target_case()) {
    case v1::SeekSubscriptionRequest::kAfterCursor:
      target.set_after_cursor(request.after_cursor());
      break;
    case v1::SeekSubscriptionRequest::kStartTime:
      *target.mutable_start_time() = request.start_time();
      break;
    case v1::SeekSubscriptionRequest::kPosition:
      target.set_position(request.position());
      break;
    case v1::SeekSubscriptionRequest::TARGET_NOT_SET:
      bad.Add("target", "set after_cursor, start_time or position");
      break;
  }
  CheckStart(target, now, bad);
  if (!bad.empty()) return bad.ToStatus();
  return ToStart(target);
}

absl::Status CheckRequest(const v1::ListSubscriptionsRequest& request) {
  FieldViolations bad;
  CheckPageSize(request.page_size(), bad);
  CheckPageToken(request.page_token(), bad);
  return bad.ToStatus();
}

absl::Status CheckRequest(const v1::ListParkedEventsRequest& request) {
  FieldViolations bad;
  CheckName(request.subscription(), "subscription", bad);
  CheckPageSize(request.page_size(), bad);
  CheckPageToken(request.page_token(), bad);
  return bad.ToStatus();
}

absl::Status CheckRequest(const v1::ReplayParkedEventsRequest& request) {
  FieldViolations bad;
  CheckName(request.subscription(), "subscription", bad);
  if (request.cursors_size() > kMaxReplays) {
    bad.Add("cursors", absl::StrCat("may have at most ", kMaxReplays, " entries"));
  }
  if (request.all() && request.cursors_size() > 0) bad.Add("cursors", "must be empty with all");
  if (!request.all() && request.cursors_size() == 0) bad.Add("cursors", "name the events, or set all");
  return bad.ToStatus();
}

absl::Status CheckRequest(const v1::AcknowledgeEventsRequest& request) {
  FieldViolations bad;
  CheckName(request.subscription(), "subscription", bad);
  if (request.settlements_size() > kMaxSettlements) {
    bad.Add("settlements", absl::StrCat("may have at most ", kMaxSettlements, " entries"));
  } else {
    for (int i = 0; i < request.settlements_size(); ++i) {
      const v1::Settlement& settlement = request.settlements(i);
      const auto field = [i](absl::string_view name) { return absl::StrCat("settlements[", i, "].", name); };
      if (settlement.action() == v1::SETTLEMENT_ACTION_UNSPECIFIED ||
          !v1::SettlementAction_IsValid(settlement.action())) {
        bad.Add(field("action"), "must be ACK, RETRY, PARK, SKIP or EXTEND");
      }
      if (!settlement.has_delay()) continue;
      const absl::Duration delay = FromProto(settlement.delay());
      const bool retry = settlement.action() == v1::SETTLEMENT_ACTION_RETRY;
      const bool extend = settlement.action() == v1::SETTLEMENT_ACTION_EXTEND;
      if (!retry && !extend) bad.Add(field("delay"), "is of RETRY and EXTEND alone");
      if (retry && (delay < absl::ZeroDuration() || delay > absl::Hours(1))) {
        bad.Add(field("delay"), "must be 0 to 1 hour");
      }
      if (extend && (delay < absl::Seconds(1) || delay > absl::Hours(1))) {
        bad.Add(field("delay"), "must be 1 s to 1 hour");
      }
    }
  }
  if (request.settlements_size() > 0 && !request.up_to_cursor().empty()) {
    bad.Add("up_to_cursor", "give either it or settlements");
  }
  if (request.settlements_size() == 0 && request.up_to_cursor().empty()) {
    bad.Add("settlements", "name what is settled: settlements in mode SHARED, up_to_cursor in mode CURSOR");
  }
  return bad.ToStatus();
}

absl::StatusOr<ConsumerSpec> CheckConsumer(const v1::SubscribeEventsRequest& request) {
  FieldViolations bad;
  CheckName(request.subscription(), "subscription", bad);
  constexpr absl::string_view kServer = "lives on the server with a subscription: leave it out";
  switch (request.start_case()) {
    case v1::SubscribeEventsRequest::kAfterCursor:
      bad.Add("after_cursor", kServer);
      break;
    case v1::SubscribeEventsRequest::kStartTime:
      bad.Add("start_time", kServer);
      break;
    case v1::SubscribeEventsRequest::kPosition:
      bad.Add("position", kServer);
      break;
    case v1::SubscribeEventsRequest::START_NOT_SET:
      break;
  }
  if (request.has_filter()) bad.Add("filter", kServer);
  if (request.on_expired_cursor() != v1::ON_EXPIRED_CURSOR_UNSPECIFIED) bad.Add("on_expired_cursor", kServer);
  ConsumerSpec spec;
  spec.subscription = request.subscription();
  spec.consumer_id = request.consumer_id();
  const bool printable = std::all_of(spec.consumer_id.begin(), spec.consumer_id.end(), absl::ascii_isprint);
  if (spec.consumer_id.size() > 128 || !printable) {
    bad.Add("consumer_id", "must be 1 to 128 printable ASCII characters, or absent");
  }
  if (request.max_batch_events() > 1000) bad.Add("max_batch_events", "must be 1 to 1000, or 0 for 256");
  if (request.max_batch_events() > 0) spec.max_batch_events = request.max_batch_events();
  if (request.max_outstanding_events() > 10'000) {
    bad.Add("max_outstanding_events", "must be 1 to 10000, or 0 for 100");
  }
  if (request.max_outstanding_events() > 0) spec.max_outstanding_events = request.max_outstanding_events();
  if (request.has_heartbeat_interval()) {
    spec.heartbeat_interval = FromProto(request.heartbeat_interval());
    if (spec.heartbeat_interval < absl::Seconds(1) || spec.heartbeat_interval > absl::Seconds(20)) {
      bad.Add("heartbeat_interval", "must be 1 s to 20 s");
    }
  }
  spec.include_raw_body = request.include_raw_body();
  spec.take_over = request.take_over();
  if (!bad.empty()) return bad.ToStatus();
  return spec;
}

}  // namespace aulm::gateway
