#pragma once

#include <atomic>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "service/storage/state_store.h"

namespace aulm::gateway {

// One replica's way to a store that others have, too: while it is severed, every call fails and does nothing there.
// Thread-safe.
class SeveredStateStore final : public StateStore {
 public:
  explicit SeveredStateStore(StateStore& store) : store_(store) {}

  void Sever(bool severed) { severed_ = severed; }

  void Write(std::vector<StateWrite> writes, Durability durability, WriteCallback done) override {
    if (severed_) {
      std::vector<absl::StatusOr<uint64_t>> results(writes.size(), Failure());
      std::move(done)(std::move(results));
      return;
    }
    store_.Write(std::move(writes), durability, std::move(done));
  }
  void Get(std::string bucket, std::string key, GetCallback done) override {
    if (severed_) return std::move(done)(Failure());
    store_.Get(std::move(bucket), std::move(key), std::move(done));
  }
  void List(std::string bucket, std::string prefix, std::string after_key, size_t limit, ListCallback done) override {
    if (severed_) return std::move(done)(Failure());
    store_.List(std::move(bucket), std::move(prefix), std::move(after_key), limit, std::move(done));
  }

 private:
  static absl::Status Failure() { return absl::UnavailableError("the store cannot be reached"); }

  StateStore& store_;
  std::atomic<bool> severed_{false};
};

}  // namespace aulm::gateway
