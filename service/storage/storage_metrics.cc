#include "service/storage/storage_metrics.h"

namespace aulm::gateway {
namespace {

prometheus::Counter& Counter(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry).Add({});
}

prometheus::Gauge& Gauge(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(registry).Add({});
}

prometheus::Histogram& Histogram(prometheus::Registry& registry, const char* name, const char* help,
                                 const prometheus::Histogram::BucketBoundaries& buckets) {
  return prometheus::BuildHistogram().Name(name).Help(help).Register(registry).Add({}, buckets);
}

}  // namespace

StorageMetrics::StorageMetrics(prometheus::Registry& registry)
    : commit_events_(Histogram(registry, "aulm_store_commit_events", "Events stored in one commit.",
                               {0, 1, 2, 4, 8, 16, 32, 64, 128})),
      commit_seconds_(Histogram(registry, "aulm_store_commit_seconds",
                                "Time of one commit, from its first statement to the disk's answer.",
                                {0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 2})),
      appended_(Counter(registry, "aulm_log_appended_total", "Events stored in the log.")),
      duplicates_(
          Counter(registry, "aulm_log_duplicates_total", "Appends whose delivery id had been seen: nothing stored.")),
      state_writes_(Counter(registry, "aulm_store_state_writes_total", "Rows of state that reached the disk.")),
      checkpoint_seconds_(Histogram(registry, "aulm_store_checkpoint_seconds",
                                    "Time of one checkpoint of the write-ahead log.",
                                    {0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 2})),
      wal_bytes_(Gauge(registry, "aulm_store_wal_bytes", "Bytes in the write-ahead log after the last commit.")),
      errors_(prometheus::BuildCounter()
                  .Name("aulm_store_errors_total")
                  .Help("Failed operations of the store by kind: full, fsync, damaged, other.")
                  .Register(registry)),
      full_(errors_.Add({{"kind", "full"}})),
      fsync_(errors_.Add({{"kind", "fsync"}})),
      damaged_(errors_.Add({{"kind", "damaged"}})),
      other_(errors_.Add({{"kind", "other"}})),
      refused_(Counter(registry, "aulm_log_refused_total", "Appends refused since too many waited.")),
      log_events_(Gauge(registry, "aulm_log_events", "Events kept in the log.")),
      log_bytes_(Gauge(registry, "aulm_log_bytes", "Bytes of the events kept in the log, raw bodies included.")),
      oldest_age_(Gauge(registry, "aulm_log_oldest_age_seconds", "Age of the oldest event kept; 0 when none is.")),
      expired_(Counter(registry, "aulm_log_expired_total", "Events deleted by retention.")),
      queued_(Gauge(registry, "aulm_store_queued_appends", "Appends that waited when the last commit began.")) {}

void StorageMetrics::Committed(size_t events, size_t duplicates, size_t state_writes, absl::Duration took) {
  commit_events_.Observe(static_cast<double>(events));
  commit_seconds_.Observe(absl::ToDoubleSeconds(took));
  appended_.Increment(static_cast<double>(events));
  duplicates_.Increment(static_cast<double>(duplicates));
  state_writes_.Increment(static_cast<double>(state_writes));
}

void StorageMetrics::Checkpointed(absl::Duration took) { checkpoint_seconds_.Observe(absl::ToDoubleSeconds(took)); }

void StorageMetrics::SetWalBytes(uint64_t bytes) { wal_bytes_.Set(static_cast<double>(bytes)); }

void StorageMetrics::Failed(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kResourceExhausted:
      return full_.Increment();
    case absl::StatusCode::kDataLoss:
      return fsync_.Increment();
    case absl::StatusCode::kInternal:
      return damaged_.Increment();
    default:
      return other_.Increment();
  }
}

void StorageMetrics::Refused() { refused_.Increment(); }

void StorageMetrics::SetLog(uint64_t events, uint64_t bytes) {
  log_events_.Set(static_cast<double>(events));
  log_bytes_.Set(static_cast<double>(bytes));
}

void StorageMetrics::SetOldestAge(absl::Duration age) { oldest_age_.Set(absl::ToDoubleSeconds(age)); }

void StorageMetrics::Expired(uint64_t events) { expired_.Increment(static_cast<double>(events)); }

void StorageMetrics::SetQueued(size_t appends) { queued_.Set(static_cast<double>(appends)); }

}  // namespace aulm::gateway
