#include "aulm/gateway/client/position.h"

#include <utility>

#include "aulm/gateway/client/call_error.h"
#include "aulm/gateway/client/monotonic_now.h"

namespace aulm::gateway::client {
Position::Position(CursorStore* store, bool acknowledges, absl::Duration interval,
                   std::function<void(const absl::Status&)> on_not_saved)
    : store_(store), acknowledges_(acknowledges), interval_(interval), on_not_saved_(std::move(on_not_saved)) {}

absl::StatusOr<std::string> Position::Load() {
  if (store_ == nullptr) return std::string();
  absl::StatusOr<std::string> cursor = store_->Load();
  if (!cursor.ok()) return cursor;
  absl::MutexLock lock(&mu_);
  handled_ = saved_ = *cursor;
  return cursor;
}

uint64_t Position::Add(const std::string& cursor) {
  absl::MutexLock lock(&mu_);
  last_ = cursor;
  places_.push_back({cursor, false});
  return first_ + places_.size() - 1;
}

void Position::MoveTo(const std::string& cursor) {
  absl::MutexLock lock(&mu_);
  if (cursor.empty() || cursor == last_) return;
  last_ = cursor;
  places_.push_back({cursor, true});
  Advance();
}

absl::Status Position::MarkHandled(uint64_t number) {
  {
    absl::MutexLock lock(&mu_);
    places_[number - first_].passed = true;
    Advance();
  }
  return SaveIfDue();
}

absl::Status Position::SaveIfDue() {
  std::string cursor;
  {
    absl::MutexLock lock(&mu_);
    // Who is saving now leaves what came since to the next look.
    if (saving_ || UntilSaveLocked() > absl::ZeroDuration()) return failure_;
    saving_ = true;
    cursor = handled_;
  }
  Write(cursor).IgnoreError();  // what may pass is told of, the rest is the failure
  return failure();
}

absl::Status Position::Save() {
  std::string cursor;
  {
    absl::MutexLock lock(&mu_);
    mu_.Await(absl::Condition(this, &Position::NotSaving));
    if (!SomethingToSave()) return failure_;
    saving_ = true;
    cursor = handled_;
  }
  return Write(cursor);
}

absl::Duration Position::UntilSave() const {
  absl::MutexLock lock(&mu_);
  return UntilSaveLocked();
}

absl::Status Position::failure() const {
  absl::MutexLock lock(&mu_);
  return failure_;
}

std::string Position::handled() const {
  absl::MutexLock lock(&mu_);
  return handled_;
}

absl::flat_hash_set<std::string> Position::NotSavedYet() const {
  absl::MutexLock lock(&mu_);
  absl::flat_hash_set<std::string> cursors(unsaved_.begin(), unsaved_.end());
  for (const Place& place : places_) cursors.insert(place.cursor);
  return cursors;
}

void Position::Advance() {
  while (!places_.empty() && places_.front().passed) {
    handled_ = std::move(places_.front().cursor);
    places_.pop_front();
    ++first_;
    if (acknowledges_) unsaved_.push_back(handled_);
  }
}

bool Position::SomethingToSave() const {
  return store_ != nullptr && failure_.ok() && !handled_.empty() && handled_ != saved_;
}

absl::Duration Position::UntilSaveLocked() const {
  return SomethingToSave() ? interval_ - (MonotonicNow() - saved_at_) : absl::InfiniteDuration();
}

absl::Status Position::Write(const std::string& cursor) {
  const absl::Status status = store_->Save(cursor);
  const bool passes = acknowledges_ && MayPass(static_cast<grpc::StatusCode>(status.code()));
  if (passes && on_not_saved_) on_not_saved_(status);
  absl::MutexLock lock(&mu_);
  saving_ = false;
  saved_at_ = MonotonicNow();  // also after a failure: it is not tried again at once
  if (!status.ok()) {
    if (!passes) failure_ = status;
    return status;
  }
  saved_ = cursor;
  while (!unsaved_.empty()) {
    const bool reached = unsaved_.front() == cursor;
    unsaved_.pop_front();
    if (reached) break;
  }
  return status;
}

}  // namespace aulm::gateway::client
