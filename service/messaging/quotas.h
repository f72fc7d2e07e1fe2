#pragma once

#include <memory>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "prometheus/family.h"
#include "prometheus/gauge.h"
#include "prometheus/registry.h"
#include "service/aulm/aulm_operations.h"
#include "service/aulm/rate_limit.h"
#include "service/base/clock.h"
#include "service/storage/state_store.h"

namespace aulm::gateway {

// The quota of each account as aulm last told it with an answer to a send: for GetQuota, for the metrics, and where it
// is asked for, to refuse sends that aulm would refuse. Kept in the state store over restarts, without waiting for the
// disk. Thread-safe; never blocks.
class Quotas : public std::enable_shared_from_this<Quotas> {
 public:
  struct Options {
    bool refuse_when_used_up = false;
    absl::Duration between_writes = absl::Seconds(1);  // to the store, of one account, at least
  };

  // A quota, and when it was told.
  struct Seen {
    RateLimit limit;
    absl::Time observed;
  };

  // All outlive it. Adds the gauges aulm_quota_limit, aulm_quota_remaining and aulm_quota_reset_timestamp_seconds, by
  // account, each present once it is known.
  static std::shared_ptr<Quotas> Create(Options options, StateStore& store, Clock& clock,
                                        prometheus::Registry& registry);

  // Takes over what the store has of an account, in the background; once, at start.
  void Load(absl::string_view account);

  // What a send was answered: its quota, where the answer told one (a 201, or a 429 that is a quota's).
  void Note(absl::string_view account, const absl::StatusOr<SendResult>& result) ABSL_LOCKS_EXCLUDED(mutex_);

  // RESOURCE_EXHAUSTED QUOTA_USED_UP, outcome not_sent, with QuotaFailure and RetryInfo, where refusing is on, nothing
  // is left and the reset lies ahead. Else OK.
  absl::Status Check(absl::string_view account) const ABSL_LOCKS_EXCLUDED(mutex_);

  // The newest that is known, here or in the store; nullopt when aulm has told none. `done` comes once, on a thread of
  // the store's. Error: STORE_UNAVAILABLE, when nothing is known here either.
  void Get(absl::string_view account, absl::AnyInvocable<void(absl::StatusOr<std::optional<Seen>>) &&> done);

 private:
  struct Account {
    Seen seen;
    absl::Time written = absl::InfinitePast();
    bool timer_set = false;
    // Made when they first have something to tell; looking them up by label with every send would cost more.
    prometheus::Gauge* limit = nullptr;
    prometheus::Gauge* remaining = nullptr;
    prometheus::Gauge* reset = nullptr;
  };

  Quotas(Options options, StateStore& store, Clock& clock, prometheus::Registry& registry);

  std::optional<Seen> Known(absl::string_view account) const ABSL_LOCKS_EXCLUDED(mutex_);
  // Puts it into memory and metrics unless something newer is known. False when it is.
  bool Take(const std::string& account, const Seen& seen) ABSL_LOCKS_EXCLUDED(mutex_);
  // Writes the account's quota now, or once its turn has come.
  void Store(const std::string& account) ABSL_LOCKS_EXCLUDED(mutex_);

  const Options options_;
  StateStore& store_;
  Clock& clock_;
  prometheus::Family<prometheus::Gauge>& limit_;
  prometheus::Family<prometheus::Gauge>& remaining_;
  prometheus::Family<prometheus::Gauge>& reset_;

  mutable absl::Mutex mutex_;
  absl::flat_hash_map<std::string, Account> accounts_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace aulm::gateway
