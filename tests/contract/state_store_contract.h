#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "service/storage/state_store.h"
#include "tests/contract/store_engine.h"

namespace aulm::gateway {

// What every StateStore promises (state_store.h), checked on whatever engine it is instantiated with, as
// EventLogContract is.
class StateStoreContract : public testing::TestWithParam<EngineUnderTest> {
 protected:
  StateStoreContract() : engine_(GetParam().make()) {}

  StateStore& state() { return engine_->state(); }

  // Writes one key of bucket "test" whatever is there, durably; gives the revision. Fails the test on an error.
  uint64_t Put(const std::string& key, const std::string& value, absl::Time expires = absl::InfiniteFuture());
  // The value that a read of bucket "test" gives; nullopt when there is none.
  std::optional<std::string> Value(const std::string& key);
  // The keys that a listing of bucket "test" gives.
  std::vector<std::string> Keys(const std::string& prefix = "", const std::string& after = "", size_t limit = 1000);

  std::unique_ptr<StoreEngine> engine_;
};

}  // namespace aulm::gateway
