#include "service/events/subscriptions/parked_records.h"

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "google/protobuf/util/time_util.h"
#include "service/base/status_details.h"
#include "service/events/cursor.h"
#include "service/events/event_reader.h"
#include "service/events/subscriptions/blocking_state.h"

namespace aulm::gateway {
namespace {

constexpr size_t kMaxPageBytes = 3 << 20;

absl::Status StoreFailed(absl::string_view what, const absl::Status& cause) {
  return GatewayError(GatewayReason::kStoreUnavailable, absl::StrCat(what, ": ", cause.message()));
}

// A page with the event at `sequence` alone, or with none when the log has it no more.
absl::StatusOr<EventPage> ReadEvent(EventLog& log, uint64_t sequence, bool raw_body) {
  ReadLimits one;
  one.max_events = 1;
  one.raw_body = raw_body;
  absl::StatusOr<EventPage> page = log.Read(sequence - 1, one);
  if (!page.ok()) return StoreFailed("the event log cannot be read", page.status());
  if (!page->events.empty() && page->events.front().sequence != sequence) page->events.clear();
  return page;
}

// A page token is what stands behind the subscription's id in a key: two numbers of 20 digits.
bool IsPageToken(absl::string_view token) {
  if (token.size() != 41 || token[20] != '-') return false;
  return std::all_of(token.begin(), token.end(), [](char c) { return absl::ascii_isdigit(c) || c == '-'; });
}

}  // namespace

std::string ParkedKey(absl::string_view subscription_id, int64_t parked_ms, uint64_t sequence) {
  return absl::StrFormat("%s/%020d-%020d", subscription_id, parked_ms, sequence);
}

absl::Status ForEachParked(StateStore& state, const std::string& subscription_id,
                           const std::function<void(const state::v1::ParkedRecord&)>& visit) {
  return ForEachNow(state, kParkedEvents, absl::StrCat(subscription_id, "/"), [&](const StateEntry& entry) {
    state::v1::ParkedRecord record;
    if (record.ParseFromString(entry.value)) visit(record);
  });
}

absl::StatusOr<bool> MayBeSeen(EventLog& log, uint64_t sequence, const EventVisibility* visibility) {
  if (visibility == nullptr) return true;
  const absl::StatusOr<EventPage> page = ReadEvent(log, sequence, /*raw_body=*/false);
  if (!page.ok()) return page.status();
  return page->events.empty() || visibility->Allows(page->events.front().attributes);
}

absl::StatusOr<v1::ListParkedEventsResponse> ReadParkedPage(StateStore& state, EventLog& log,
                                                            const std::string& subscription_id,
                                                            const EventVisibility* visibility,
                                                            const v1::ListParkedEventsRequest& request) {
  if (!request.page_token().empty() && !IsPageToken(request.page_token())) {
    FieldViolations bad;
    bad.Add("page_token", "must be the next_page_token of the page before");
    return bad.ToStatus();
  }
  const std::string prefix = absl::StrCat(subscription_id, "/");
  const size_t most = request.page_size() == 0 ? 100 : request.page_size();
  std::string after = request.page_token().empty() ? "" : absl::StrCat(prefix, request.page_token());
  const uint64_t epoch = log.Info().epoch;
  v1::ListParkedEventsResponse response;
  size_t bytes = 0;
  while (true) {
    const absl::StatusOr<std::vector<StateEntry>> entries = ListNow(state, kParkedEvents, prefix, after, most);
    if (!entries.ok()) return StoreFailed("parked events cannot be read", entries.status());
    for (const StateEntry& entry : *entries) {
      state::v1::ParkedRecord record;
      if (!record.ParseFromString(entry.value) || record.replaying()) {
        after = entry.key;
        continue;
      }
      if (static_cast<size_t>(response.parked_events_size()) >= most || bytes > kMaxPageBytes) {
        response.set_next_page_token(after.substr(prefix.size()));
        return response;
      }
      const absl::StatusOr<EventPage> page = ReadEvent(log, record.sequence(), request.include_raw_body());
      if (!page.ok()) return page.status();
      const LoggedEvent* const event = page->events.empty() ? nullptr : &page->events.front();
      if (event != nullptr && visibility != nullptr && !visibility->Allows(event->attributes)) {
        after = entry.key;
        continue;
      }
      v1::ParkedEvent& parked = *response.add_parked_events();
      if (event != nullptr) {
        DecodeEvent(*event, epoch, *parked.mutable_event());
      } else {
        parked.mutable_event()->set_cursor(EncodeCursor({epoch, record.sequence(), 0}));
      }
      parked.set_reason(record.reason());
      parked.set_attempts(record.attempts());
      *parked.mutable_parked_time() = google::protobuf::util::TimeUtil::MillisecondsToTimestamp(record.parked_ms());
      bytes += parked.ByteSizeLong();
      after = entry.key;
    }
    if (entries->size() < most) return response;
  }
}

absl::StatusOr<MarkedReplays> MarkReplays(StateStore& state, EventLog& log, const std::string& subscription_id,
                                          const EventVisibility* visibility,
                                          const v1::ReplayParkedEventsRequest& request,
                                          const std::function<bool(uint64_t conversation)>& chosen) {
  const LogInfo info = log.Info();
  absl::flat_hash_set<uint64_t> wanted;
  for (const std::string& bytes : request.cursors()) {
    const absl::StatusOr<Cursor> cursor = DecodeCursor(bytes);
    if (!cursor.ok()) return cursor.status();
    if (info.Covers(cursor->epoch)) wanted.insert(cursor->sequence);
  }
  constexpr absl::string_view kWhat = "parked events cannot be put back";
  std::vector<state::v1::ParkedRecord> records;
  std::vector<StateWrite> writes;
  absl::Status unread;
  const absl::Status listed =
      ForEachNow(state, kParkedEvents, absl::StrCat(subscription_id, "/"), [&](const StateEntry& entry) {
        state::v1::ParkedRecord record;
        if (!record.ParseFromString(entry.value) || record.replaying() || record.sequence() < info.earliest) return;
        if (!request.all() && !wanted.contains(record.sequence())) return;
        if (!chosen(record.conversation())) return;
        const absl::StatusOr<bool> seen = MayBeSeen(log, record.sequence(), visibility);
        if (!seen.ok()) unread = seen.status();
        if (!seen.ok() || !*seen) return;
        record.set_replaying(true);
        writes.push_back({kParkedEvents, entry.key, record.SerializeAsString(), entry.revision});
        records.push_back(std::move(record));
      });
  if (!listed.ok()) return StoreFailed(kWhat, listed);
  if (!unread.ok()) return unread;
  MarkedReplays marked;
  const std::vector<absl::StatusOr<uint64_t>> results = WriteNow(state, std::move(writes));
  for (size_t i = 0; i < records.size(); ++i) {
    if (results[i].ok()) {
      marked.records.push_back(std::move(records[i]));
    } else if (!absl::IsAborted(results[i].status())) {
      marked.failure = StoreFailed(kWhat, results[i].status());
    }
  }
  return marked;
}

}  // namespace aulm::gateway
