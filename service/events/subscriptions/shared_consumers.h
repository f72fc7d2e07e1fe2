#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "aulm/gateway/v1/event_service.pb.h"
#include "service/events/frame_source.h"
#include "service/events/subscriptions/durable_subscription.h"
#include "service/events/subscriptions/shared_ledger.h"

namespace aulm::gateway {

// One consumer of a SHARED subscription: what it asked for, and what it has to be told.
struct SharedConsumer {
  ConsumerSpec spec;
  std::string stream_id;
  FrameSource::FrameCallback next;  // it waits for a frame
  bool started = false;
  bool fetching = false;       // next is kept until the bytes are there
  std::optional<v1::Gap> gap;  // to be told
  std::string drain;           // the reason; empty: not draining
  absl::Status end;            // not OK: over
  absl::Time last_frame;
  absl::Time drain_at;
  FrameSource::Totals totals;

  bool waits() const { return next && !fetching; }
  bool takes_events() const { return waits() && drain.empty(); }
  bool stays() const { return drain.empty() && end.ok(); }
  size_t max_outstanding() const;
  // In one frame.
  size_t max_events() const;
  // Counts a frame that it gets now.
  void Count(absl::Time now, size_t events, size_t bytes);
};

// The gap `untold`, which nobody has been told of yet, with `gap` added at its end.
void Grow(std::optional<v1::Gap>& untold, const v1::Gap& gap);

// Who consumes a SHARED subscription on this replica. Hands nothing out itself. Not thread-safe.
class SharedConsumers {
 public:
  using Map = absl::btree_map<uint64_t, SharedConsumer>;

  // Its id, never given twice.
  uint64_t Add(SharedConsumer consumer);
  // nullptr when it has left.
  SharedConsumer* Find(uint64_t id);
  const SharedConsumer* Find(uint64_t id) const;
  void Remove(uint64_t id) { consumers_.erase(id); }

  size_t size() const { return consumers_.size(); }
  // Those that are not being ended.
  size_t staying() const;
  // Somebody waits for events, and has room for more of them.
  bool WantEvents(const SharedLedger& ledger) const;
  // Who can be given events now, and how many at once.
  std::vector<SharedLedger::Room> Rooms() const;
  // When the next heartbeat is due, or the next stream has come of age.
  absl::Time NextDue() const;
  // Everybody is to be told of it.
  void AddGap(const v1::Gap& gap);

  Map::iterator begin() { return consumers_.begin(); }
  Map::iterator end() { return consumers_.end(); }

 private:
  Map consumers_;
  uint64_t last_id_ = 0;
};

}  // namespace aulm::gateway
