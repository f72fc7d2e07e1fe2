#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/synchronization/blocking_counter.h"
#include "absl/synchronization/notification.h"
#include "service/storage/event_log.h"
#include "service/storage/state_store.h"

namespace aulm::gateway {

// The calls of the storage seams, waited for: for tests, which have a thread to spare.

inline absl::StatusOr<Appended> AppendNow(EventLog& log, NewEvent event) {
  absl::StatusOr<Appended> result;
  absl::Notification done;
  log.Append(std::move(event), [&](absl::StatusOr<Appended> appended) {
    result = std::move(appended);
    done.Notify();
  });
  done.WaitForNotification();
  return result;
}

// Appends all at once, then waits for all; results in the order of the events.
inline std::vector<absl::StatusOr<Appended>> AppendAllNow(EventLog& log, std::vector<NewEvent> events) {
  std::vector<absl::StatusOr<Appended>> results(events.size());
  absl::BlockingCounter open(static_cast<int>(events.size()));
  for (size_t i = 0; i < events.size(); ++i) {
    log.Append(std::move(events[i]), [&results, &open, i](absl::StatusOr<Appended> appended) {
      results[i] = std::move(appended);
      open.DecrementCount();
    });
  }
  open.Wait();
  return results;
}

inline std::vector<absl::StatusOr<uint64_t>> WriteAllNow(
    StateStore& state, std::vector<StateWrite> writes,
    StateStore::Durability durability = StateStore::Durability::kDurable) {
  std::vector<absl::StatusOr<uint64_t>> results;
  absl::Notification done;
  state.Write(std::move(writes), durability, [&](std::vector<absl::StatusOr<uint64_t>> written) {
    results = std::move(written);
    done.Notify();
  });
  done.WaitForNotification();
  return results;
}

inline absl::StatusOr<uint64_t> WriteNow(StateStore& state, StateWrite write,
                                         StateStore::Durability durability = StateStore::Durability::kDurable) {
  return WriteAllNow(state, {std::move(write)}, durability).at(0);
}

inline absl::StatusOr<std::optional<StateEntry>> GetNow(StateStore& state, std::string bucket, std::string key) {
  absl::StatusOr<std::optional<StateEntry>> result;
  absl::Notification done;
  state.Get(std::move(bucket), std::move(key), [&](absl::StatusOr<std::optional<StateEntry>> entry) {
    result = std::move(entry);
    done.Notify();
  });
  done.WaitForNotification();
  return result;
}

inline absl::StatusOr<std::vector<StateEntry>> ListNow(StateStore& state, std::string bucket, std::string prefix,
                                                       std::string after_key, size_t limit) {
  absl::StatusOr<std::vector<StateEntry>> result;
  absl::Notification done;
  state.List(std::move(bucket), std::move(prefix), std::move(after_key), limit,
             [&](absl::StatusOr<std::vector<StateEntry>> entries) {
               result = std::move(entries);
               done.Notify();
             });
  done.WaitForNotification();
  return result;
}

}  // namespace aulm::gateway
