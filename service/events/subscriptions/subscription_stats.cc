#include "service/events/subscriptions/subscription_stats.h"

#include <algorithm>

#include "google/protobuf/util/time_util.h"
#include "service/events/cursor.h"
#include "service/events/log_position.h"
#include "service/events/subscriptions/parked_records.h"

namespace aulm::gateway {
namespace {

using google::protobuf::util::TimeUtil;

}  // namespace

absl::StatusOr<state::v1::ShareStats> ReadStoredStats(StateStore& state, const EventLog& log,
                                                      const std::string& subscription_id,
                                                      const Assignment::Share& share, bool whole) {
  state::v1::ShareStats stats;
  stats.set_floor(UINT64_MAX);
  if (share.partitions() == kNoPartitions) return stats;
  const absl::StatusOr<ShareContent> content = ReadShare(state, subscription_id, share.key(), /*fence=*/false);
  if (!content.ok()) return content.status();
  const uint64_t floor = content->record.floor();
  stats.set_floor(floor);
  stats.set_fingerprint(content->record.fingerprint());
  const uint64_t head = log.Info().head;
  if (floor < head) {
    const uint64_t part = (head - floor) * static_cast<uint64_t>(CountOf(share.partitions())) / kPartitions;
    stats.mutable_stats()->set_lag_events(part - std::min(part, content->part.blocks.settled_above()));
  }
  if (whole) return stats;
  uint64_t parked = 0;
  absl::Status read = ForEachParked(state, subscription_id, [&](const state::v1::ParkedRecord& record) {
    if (!record.replaying() && Contains(share.partitions(), PartitionOf(record.conversation()))) ++parked;
  });
  if (!read.ok()) return read;
  stats.mutable_stats()->set_parked_events(parked);
  return stats;
}

void Add(const state::v1::ShareStats& share, state::v1::ShareStats& all) {
  const v1::SubscriptionStats& part = share.stats();
  v1::SubscriptionStats& sum = *all.mutable_stats();
  sum.set_lag_events(sum.lag_events() + part.lag_events());
  sum.set_outstanding_events(sum.outstanding_events() + part.outstanding_events());
  sum.set_parked_events(sum.parked_events() + part.parked_events());
  sum.set_consumers(sum.consumers() + part.consumers());
  if (part.has_oldest_outstanding() &&
      (!sum.has_oldest_outstanding() || TimeUtil::DurationToMilliseconds(sum.oldest_outstanding()) <
                                            TimeUtil::DurationToMilliseconds(part.oldest_outstanding()))) {
    *sum.mutable_oldest_outstanding() = part.oldest_outstanding();
  }
  if (share.floor() >= all.floor()) return;
  all.set_floor(share.floor());
  all.set_fingerprint(share.fingerprint());
}

v1::SubscriptionStats Finish(const state::v1::ShareStats& all, EventLog& log, absl::Time now) {
  v1::SubscriptionStats stats = all.stats();
  const LogInfo info = log.Info();
  Position floor{std::min(all.floor(), info.head), all.fingerprint()};
  if (floor.fingerprint == 0 || floor.sequence != all.floor()) {
    floor = PositionAt(log, floor.sequence).value_or(Position{floor.sequence, 0});
  }
  stats.set_acknowledged_cursor(EncodeCursor({info.epoch, floor.sequence, floor.fingerprint}));
  absl::Duration lag;
  if (stats.lag_events() > 0) {
    ReadLimits one;
    one.max_events = 1;
    const absl::StatusOr<EventPage> oldest = log.Read(floor.sequence, one);
    if (oldest.ok() && !oldest->events.empty()) lag = now - oldest->events.front().ingested;
  }
  *stats.mutable_lag() = TimeUtil::MillisecondsToDuration(std::max<int64_t>(0, absl::ToInt64Milliseconds(lag)));
  return stats;
}

void SetGauges(const v1::SubscriptionStats& stats, SubscriptionMetrics::Series& series) {
  const auto seconds = [](const google::protobuf::Duration& duration) {
    return static_cast<double>(TimeUtil::DurationToMilliseconds(duration)) / 1000;
  };
  series.lag_events->Set(static_cast<double>(stats.lag_events()));
  series.lag_seconds->Set(seconds(stats.lag()));
  series.outstanding_events->Set(static_cast<double>(stats.outstanding_events()));
  series.oldest_outstanding_seconds->Set(seconds(stats.oldest_outstanding()));
  series.parked_events->Set(static_cast<double>(stats.parked_events()));
  series.consumers->Set(stats.consumers());
}

}  // namespace aulm::gateway
