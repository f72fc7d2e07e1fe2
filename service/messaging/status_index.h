#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "service/base/clock.h"
#include "service/storage/event_log.h"
#include "service/storage/state_store.h"

namespace aulm::gateway {

// Where in the log the statuses of a message stand. It is written without waiting for the disk, right after the event
// was made durable; what a crash took from it is read again from the log at the next start. Thread-safe.
class StatusIndex : public std::enable_shared_from_this<StatusIndex> {
 public:
  // More statuses of one message than these are not listed: aulm has five.
  static constexpr size_t kMostListed = 64;

  // `retention`: how long an entry is kept, the log's. Both references outlive the index.
  static std::shared_ptr<StatusIndex> Create(absl::Duration retention, StateStore& store, Clock& clock);

  // The event at `sequence` is a status of the message with that MessageKey. Adding it again changes nothing.
  void Add(absl::string_view message_key, uint64_t sequence);

  // The sequences of a message's statuses, in their order. `done` comes once, on a thread of the store's. Error: that
  // of the store.
  void List(absl::string_view message_key, absl::AnyInvocable<void(absl::StatusOr<std::vector<uint64_t>>) &&> done);

  // Adds what the log has since the last checkpoint and the index may have lost, then writes checkpoints from time to
  // time. Blocks on the log and the store; once, at start. When either fails, the next start reads the same part again.
  void CatchUp(EventLog& log);

 private:
  StatusIndex(absl::Duration retention, StateStore& store, Clock& clock)
      : retention_(retention), store_(store), clock_(clock) {}

  // Adds those of the page's statuses whose messages are known. False when the store failed.
  bool AddPage(const EventPage& page);
  void WriteCheckpoint();

  const absl::Duration retention_;
  StateStore& store_;
  Clock& clock_;
};

}  // namespace aulm::gateway
