#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "prometheus/counter.h"
#include "prometheus/family.h"
#include "prometheus/gauge.h"
#include "prometheus/histogram.h"
#include "prometheus/registry.h"

namespace aulm::gateway {

// What a store tells /metrics: aulm_store_… for its work, aulm_log_… for the log it keeps. The registry must outlive
// it. Thread-safe.
class StorageMetrics {
 public:
  explicit StorageMetrics(prometheus::Registry& registry);

  // A commit that succeeded: what it held and how long it took, from the first statement to the disk's answer.
  void Committed(size_t events, size_t duplicates, size_t state_writes, absl::Duration took);

  // A checkpoint of the write-ahead log, and the size of that log before it.
  void Checkpointed(absl::Duration took);
  void SetWalBytes(uint64_t bytes);

  // An error of the store's, by the status that SqliteStatus gave it.
  void Failed(const absl::Status& status);

  // An append that was refused, since too many waited.
  void Refused();

  // The log as it stands after a commit or a deletion.
  void SetLog(uint64_t events, uint64_t bytes);
  void SetOldestAge(absl::Duration age);
  void Expired(uint64_t events);

  // Appends that waited when a commit began.
  void SetQueued(size_t appends);

 private:
  prometheus::Histogram& commit_events_;
  prometheus::Histogram& commit_seconds_;
  prometheus::Counter& appended_;
  prometheus::Counter& duplicates_;
  prometheus::Counter& state_writes_;
  prometheus::Histogram& checkpoint_seconds_;
  prometheus::Gauge& wal_bytes_;
  prometheus::Family<prometheus::Counter>& errors_;
  prometheus::Counter& full_;
  prometheus::Counter& fsync_;
  prometheus::Counter& damaged_;
  prometheus::Counter& other_;
  prometheus::Counter& refused_;
  prometheus::Gauge& log_events_;
  prometheus::Gauge& log_bytes_;
  prometheus::Gauge& oldest_age_;
  prometheus::Counter& expired_;
  prometheus::Gauge& queued_;
};

}  // namespace aulm::gateway
