#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace aulm::gateway {

// One value of the state store.
struct StateEntry {
  std::string key;
  std::string value;      // at most 64 KiB
  uint64_t revision = 0;  // changes with every write of the key; never 0
  absl::Time expires = absl::InfiniteFuture();
};

// One write: of a key in a bucket, if the key stands where the writer thinks it does.
struct StateWrite {
  std::string bucket;  // [a-z_]+, such as "requests"
  std::string key;     // [A-Za-z0-9_./=-]+, at most 512 bytes: what every engine can hold
  // Nullopt deletes.
  std::optional<std::string> value;
  // The revision that the key must have: 0 for "must not exist"; nullopt writes whatever is there.
  std::optional<uint64_t> expected_revision;
  // The entry is gone from this time on.
  absl::Time expires = absl::InfiniteFuture();
};

// The seam for small keyed state (request ledger, pacing, labels, subscriptions): compare-and-set on single keys, in
// batches that share a commit but not their fate: each write succeeds or fails alone, on every engine. Expired entries
// read as absent. Thread-safe; never blocks; callbacks run exactly once, on a thread of the store's that they must not
// block. What it promises is tests/contract/state_store_contract.h.
class StateStore {
 public:
  // The new revision for each write in order (0 for a delete), or ABORTED when expected_revision did not match,
  // INVALID_ARGUMENT for a bad bucket, key or size, RESOURCE_EXHAUSTED when the disk is full, UNAVAILABLE when the
  // store fails: then the write is not made, or (a store across a network) may be.
  using WriteCallback = absl::AnyInvocable<void(std::vector<absl::StatusOr<uint64_t>>) &&>;
  using GetCallback = absl::AnyInvocable<void(absl::StatusOr<std::optional<StateEntry>>) &&>;
  using ListCallback = absl::AnyInvocable<void(absl::StatusOr<std::vector<StateEntry>>) &&>;

  enum class Durability {
    kDurable,  // `done` comes when the writes would survive a power cut
    kRelaxed,  // `done` comes when every later read sees the writes; they become durable with a later commit
  };

  virtual ~StateStore() = default;

  // `done` may be empty where the writes are relaxed: nobody waits for them or hears of their failure. Later calls see
  // them all the same.
  virtual void Write(std::vector<StateWrite> writes, Durability durability, WriteCallback done) = 0;

  virtual void Get(std::string bucket, std::string key, GetCallback done) = 0;

  // Entries whose key begins with `prefix` and stands after `after_key`, in the order of their keys, at most `limit`.
  virtual void List(std::string bucket, std::string prefix, std::string after_key, size_t limit, ListCallback done) = 0;
};

}  // namespace aulm::gateway
