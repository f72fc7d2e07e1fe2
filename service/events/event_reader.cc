#include "service/events/event_reader.h"

#include <algorithm>

#include "google/protobuf/util/time_util.h"
#include "service/events/cursor.h"
#include "service/events/log_position.h"

namespace aulm::gateway {
namespace {

constexpr size_t kMaxPageBytes = 3 << 20;
// What one call may look at: some 20 ms of a disk's time.
constexpr size_t kMaxScannedEvents = 16'384;
constexpr size_t kReadEvents = 1024;

// What cursor, ingested_time and their tags add to an event.
constexpr size_t kAddedBytes = 48;

}  // namespace

void DecodeEvent(const LoggedEvent& logged, uint64_t epoch, v1::Event& event) {
  event.ParseFromArray(logged.event.data(), static_cast<int>(logged.event.size()));
  event.set_cursor(EncodeCursor({epoch, logged.sequence, Fingerprint(logged)}));
  *event.mutable_ingested_time() =
      google::protobuf::util::TimeUtil::MillisecondsToTimestamp(absl::ToUnixMillis(logged.ingested));
  if (!logged.raw_body.empty()) event.set_raw_body(logged.raw_body.data(), logged.raw_body.size());
}

absl::StatusOr<v1::ReadEventsResponse> ReadEventPage(EventLog& log, const ReadSpec& spec) {
  const absl::StatusOr<Position> start = ResolveStart(log, spec.start);
  if (!start.ok()) return start.status();
  const uint64_t epoch = log.Info().epoch;
  Position position = *start;
  v1::ReadEventsResponse response;
  size_t bytes = 0, scanned = 0;
  const auto size = [&response] { return static_cast<size_t>(response.events_size()); };
  bool full = false;
  while (!full && !response.end_of_log() && scanned < kMaxScannedEvents) {
    ReadLimits limits;
    limits.raw_body = spec.include_raw_body;
    // Without a filter, what is read is what is returned.
    limits.max_events = spec.selection.selects_all() ? spec.page_size - size() : kReadEvents;
    const absl::StatusOr<EventPage> page = ReadOnward(log, position.sequence, limits);
    if (!page.ok()) return page.status();
    const LoggedEvent* last = nullptr;
    for (const LoggedEvent& event : page->events) {
      if (spec.selection.Selects(event.attributes)) {
        const size_t event_bytes = event.event.size() + event.raw_body.size() + kAddedBytes;
        full = size() > 0 && bytes + event_bytes > kMaxPageBytes;
        if (full) break;
        DecodeEvent(event, epoch, *response.add_events());
        bytes += event_bytes;
      }
      last = &event;
      ++scanned;
      full = size() >= spec.page_size;
      if (full) break;
    }
    if (last != nullptr) position = {last->sequence, Fingerprint(*last)};
    const bool all_taken = page->events.empty() || last == &page->events.back();
    response.set_end_of_log(page->end_of_log && all_taken);
    if (page->events.empty() && !page->end_of_log) break;
  }
  response.set_next_cursor(EncodeCursor({epoch, position.sequence, position.fingerprint}));
  return response;
}

}  // namespace aulm::gateway
