#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/synchronization/notification.h"
#include "service/storage/state_store.h"

// The state store for threads that may wait: the registry's own, never one of the store's or gRPC's. Block.
namespace aulm::gateway {

inline absl::StatusOr<std::optional<StateEntry>> GetNow(StateStore& state, std::string bucket, std::string key) {
  absl::StatusOr<std::optional<StateEntry>> result = std::optional<StateEntry>();
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
  absl::StatusOr<std::vector<StateEntry>> result = std::vector<StateEntry>();
  absl::Notification done;
  state.List(std::move(bucket), std::move(prefix), std::move(after_key), limit,
             [&](absl::StatusOr<std::vector<StateEntry>> entries) {
               result = std::move(entries);
               done.Notify();
             });
  done.WaitForNotification();
  return result;
}

inline std::vector<absl::StatusOr<uint64_t>> WriteNow(StateStore& state, std::vector<StateWrite> writes) {
  std::vector<absl::StatusOr<uint64_t>> results;
  if (writes.empty()) return results;
  absl::Notification done;
  state.Write(std::move(writes), StateStore::Durability::kDurable, [&](std::vector<absl::StatusOr<uint64_t>> written) {
    results = std::move(written);
    done.Notify();
  });
  done.WaitForNotification();
  return results;
}

// Every entry with the prefix, page by page; stops at the first error. `visit` gets each.
template <typename Visit>
absl::Status ForEachNow(StateStore& state, const std::string& bucket, const std::string& prefix, Visit visit) {
  constexpr size_t kPage = 500;
  std::string after;
  while (true) {
    absl::StatusOr<std::vector<StateEntry>> page = ListNow(state, bucket, prefix, after, kPage);
    if (!page.ok()) return page.status();
    for (const StateEntry& entry : *page) visit(entry);
    if (page->size() < kPage) return absl::OkStatus();
    after = page->back().key;
  }
}

// Deletes every entry with the prefix.
inline absl::Status DeleteAllNow(StateStore& state, const std::string& bucket, const std::string& prefix) {
  std::vector<StateWrite> deletions;
  absl::Status status = ForEachNow(state, bucket, prefix, [&](const StateEntry& entry) {
    deletions.push_back({bucket, entry.key, std::nullopt, std::nullopt});
  });
  if (!status.ok()) return status;
  for (const absl::StatusOr<uint64_t>& result : WriteNow(state, std::move(deletions))) {
    if (!result.ok()) return result.status();
  }
  return absl::OkStatus();
}

}  // namespace aulm::gateway
