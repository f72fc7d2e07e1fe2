#include "service/events/stream_spec.h"

#include <algorithm>
#include <cstdint>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "service/base/status_details.h"
#include "service/base/text.h"
#include "service/events/start_request.h"

namespace aulm::gateway {
namespace {

constexpr int kMaxFilterEntries = 1000;
constexpr size_t kMaxFilterTextBytes = 256;
constexpr uint32_t kMaxBatchEvents = 1000;
constexpr uint32_t kMaxPageSize = 1000;
template <typename List, typename Predicate>
void CheckList(const List& list, absl::string_view field, absl::string_view rule, Predicate valid,
               FieldViolations& bad) {
  if (list.size() > kMaxFilterEntries) {
    bad.Add(field, absl::StrCat("may have at most ", kMaxFilterEntries, " entries"));
    return;
  }
  for (int i = 0; i < list.size(); ++i) {
    if (!valid(list[i])) bad.Add(absl::StrCat(field, "[", i, "]"), rule);
  }
}

}  // namespace

void CheckFilter(const v1::EventFilter& filter, FieldViolations& bad) {
  const auto text = [](const std::string& value) { return !value.empty() && value.size() <= kMaxFilterTextBytes; };
  const std::string text_rule = absl::StrCat("must have 1 to ", kMaxFilterTextBytes, " bytes");
  CheckList(
      filter.types(), "filter.types", "must be an event type that this version knows",
      [](int type) { return type != 0 && v1::EventType_IsValid(type); }, bad);
  CheckList(
      filter.session_ids(), "filter.session_ids", "must be a UUID of 36 characters",
      [](const std::string& id) { return IsUuid(id); }, bad);
  CheckList(filter.peers(), "filter.peers", text_rule, text, bad);
  CheckList(filter.message_ids(), "filter.message_ids", text_rule, text, bad);
  CheckList(
      filter.statuses(), "filter.statuses", "must be a message status that this version knows",
      [](int status) { return status != 0 && v1::MessageStatus_IsValid(status); }, bad);
  if (!v1::TestEvents_IsValid(filter.test_events())) {
    bad.Add("filter.test_events", "must be INCLUDE, EXCLUDE or ONLY");
  }
}

absl::StatusOr<StreamSpec> CheckRequest(const v1::SubscribeEventsRequest& request, absl::Time now) {
  FieldViolations bad;
  CheckStart(request, now, bad);
  CheckFilter(request.filter(), bad);
  // One with a subscription comes here only where there are none.
  if (!request.subscription().empty())
    bad.Add("subscription", "durable subscriptions are not served here: leave it out");
  constexpr absl::string_view kDurable = "is of durable subscriptions: set subscription too, or leave it out";
  if (!request.consumer_id().empty()) bad.Add("consumer_id", kDurable);
  if (request.max_outstanding_events() != 0) bad.Add("max_outstanding_events", kDurable);
  if (request.take_over()) bad.Add("take_over", kDurable);
  if (request.max_batch_events() > kMaxBatchEvents) {
    bad.Add("max_batch_events", absl::StrCat("must be 1 to ", kMaxBatchEvents, ", or 0 for 256"));
  }
  StreamSpec spec;
  if (request.has_heartbeat_interval()) {
    const auto& interval = request.heartbeat_interval();
    // Far out of range before it is added up: a Duration of the wire may be nonsense.
    const bool sane =
        interval.seconds() >= 0 && interval.seconds() <= 20 && interval.nanos() >= 0 && interval.nanos() <= 999'999'999;
    spec.heartbeat_interval = absl::Seconds(interval.seconds()) + absl::Nanoseconds(interval.nanos());
    if (!sane || spec.heartbeat_interval < absl::Seconds(1) || spec.heartbeat_interval > absl::Seconds(20)) {
      bad.Add("heartbeat_interval", "must be 1 s to 20 s");
    }
  }
  if (!v1::OnExpiredCursor_IsValid(request.on_expired_cursor())) {
    bad.Add("on_expired_cursor", "must be FAIL, EARLIEST or LATEST");
  }
  if (!bad.empty()) return bad.ToStatus();

  absl::StatusOr<LogStart> start = ToStart(request);
  if (!start.ok()) return start.status();
  spec.start = *std::move(start);
  spec.selection.filter = EventFilter(request.filter());
  if (request.max_batch_events() > 0) spec.max_batch_events = request.max_batch_events();
  if (request.on_expired_cursor() == v1::ON_EXPIRED_CURSOR_EARLIEST) spec.on_expired = OnExpired::kEarliest;
  if (request.on_expired_cursor() == v1::ON_EXPIRED_CURSOR_LATEST) spec.on_expired = OnExpired::kLatest;
  spec.include_raw_body = request.include_raw_body();
  return spec;
}

absl::StatusOr<ReadSpec> CheckRequest(const v1::ReadEventsRequest& request, absl::Time now) {
  FieldViolations bad;
  CheckStart(request, now, bad);
  CheckFilter(request.filter(), bad);
  if (request.page_size() > kMaxPageSize) {
    bad.Add("page_size", absl::StrCat("must be 1 to ", kMaxPageSize, ", or 0 for 100"));
  }
  if (!bad.empty()) return bad.ToStatus();

  absl::StatusOr<LogStart> start = ToStart(request);
  if (!start.ok()) return start.status();
  ReadSpec spec;
  spec.start = *std::move(start);
  spec.selection.filter = EventFilter(request.filter());
  if (request.page_size() > 0) spec.page_size = request.page_size();
  spec.include_raw_body = request.include_raw_body();
  return spec;
}

}  // namespace aulm::gateway
