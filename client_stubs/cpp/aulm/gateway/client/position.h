#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "aulm/gateway/client/cursor_store.h"

namespace aulm::gateway::client {

// How far a subscriber has come: what it received, what it handled, and what it saved of that. Events may be handled in
// another order than they came; the position stands before the oldest one that is not handled. Used by EventSource.
// Thread-safe; whoever calls MarkHandled, SaveIfDue or Save may block on the store. What the store fails with is
// returned, now and ever after, but for what may pass of the gateway's own: that is told of, and tried again later.
class Position {
 public:
  // `store` may be null: nothing is saved then. `acknowledges`: the store is the gateway, and NotSavedYet will be asked
  // for. `on_not_saved` may be null.
  Position(CursorStore* store, bool acknowledges, absl::Duration interval,
           std::function<void(const absl::Status&)> on_not_saved);

  // Takes the position from the store; empty where there is none. Before anything else.
  absl::StatusOr<std::string> Load();

  // Notes an event that was received, and returns its number for MarkHandled.
  uint64_t Add(const std::string& cursor);

  // Notes that nothing is left to handle between what was added last and this cursor.
  void MoveTo(const std::string& cursor);

  // Notes that an event was handled, and saves when that is due.
  absl::Status MarkHandled(uint64_t number);

  // Saves when something is to be saved and the interval has passed.
  absl::Status SaveIfDue();

  // Saves now. The store's error, also one that may pass.
  absl::Status Save();

  // What the store failed with, for good.
  absl::Status failure() const;

  // How long until SaveIfDue would save; infinite when nothing is to be saved.
  absl::Duration UntilSave() const;

  // Stands after the last event up to which all are handled; empty before anything is known.
  std::string handled() const;

  // The cursors of what was received and is not known to be saved: where the store says where to go on, these may come
  // again.
  absl::flat_hash_set<std::string> NotSavedYet() const;

 private:
  struct Place {
    std::string cursor;
    bool passed;
  };

  void Advance() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool SomethingToSave() const ABSL_SHARED_LOCKS_REQUIRED(mu_);
  absl::Duration UntilSaveLocked() const ABSL_SHARED_LOCKS_REQUIRED(mu_);
  bool NotSaving() const ABSL_SHARED_LOCKS_REQUIRED(mu_) { return !saving_; }
  absl::Status Write(const std::string& cursor) ABSL_LOCKS_EXCLUDED(mu_);

  CursorStore* const store_;
  const bool acknowledges_;
  const absl::Duration interval_;
  const std::function<void(const absl::Status&)> on_not_saved_;

  mutable absl::Mutex mu_;
  std::deque<Place> places_ ABSL_GUARDED_BY(mu_);         // from the oldest that is not passed
  uint64_t first_ ABSL_GUARDED_BY(mu_) = 0;               // the number of the first of places_
  std::deque<std::string> unsaved_ ABSL_GUARDED_BY(mu_);  // behind saved_, up to handled_
  std::string last_ ABSL_GUARDED_BY(mu_);                 // what came last
  std::string handled_ ABSL_GUARDED_BY(mu_);
  std::string saved_ ABSL_GUARDED_BY(mu_);
  absl::Time saved_at_ ABSL_GUARDED_BY(mu_) = absl::InfinitePast();  // or tried to; on the monotonic clock
  absl::Status failure_ ABSL_GUARDED_BY(mu_);
  bool saving_ ABSL_GUARDED_BY(mu_) = false;  // somebody is in the store
};

}  // namespace aulm::gateway::client
