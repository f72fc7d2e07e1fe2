#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "service/base/clock.h"
#include "service/storage/jetstream/jetstream_api.h"
#include "service/storage/jetstream/jetstream_state_store.h"
#include "service/storage/jetstream/state_buckets.h"
#include "service/storage/task_thread.h"

namespace aulm::gateway {

// Removes what has expired or was deleted from the buckets of the state, one message after the other, some thousands a
// second. Of all replicas the one that gets an entry of the state written does it, which expires itself; so there is a
// sweep every ten minutes, whoever lives. A message is removed by its sequence: what was written meanwhile has another.
class StateSweeper {
 public:
  // Everything runs on `thread`, the state's. All must outlive this.
  StateSweeper(JetStreamStateStore& store, StateBuckets& buckets, JetStreamApi& api, TaskThread& thread,
               const Clock& clock, std::string self);

  // To be called a few times a second.
  void Tick();

  // Asks nothing any more.
  void Stop() { stopped_ = true; }

 private:
  void Begin();
  void NextBucket();
  // Looks at the first message at or after `sequence`.
  void Look(uint64_t sequence);
  void Remove(uint64_t sequence);
  bool IsOver(const StoredMessage& message) const;

  JetStreamStateStore& store_;
  StateBuckets& buckets_;
  JetStreamApi& api_;
  TaskThread& thread_;
  const Clock& clock_;
  const std::string self_;
  absl::Time next_try_;
  bool sweeping_ = false;
  bool stopped_ = false;
  std::vector<std::string> left_;  // buckets of this sweep
  std::string bucket_;
};

}  // namespace aulm::gateway
