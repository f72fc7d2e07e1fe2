#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "service/storage/event_log.h"
#include "service/storage/state_store.h"

namespace aulm::gateway {

// A store as the contract suites see one: opened fresh, closed and opened again over what it kept. One for each engine
// under test.
class StoreEngine {
 public:
  virtual ~StoreEngine() = default;

  virtual EventLog& log() = 0;
  virtual StateStore& state() = 0;

  // Closes the store and opens it again, as a restart of the gateway does.
  virtual void Reopen() = 0;

  // Moves on the clock that stamps events and expires state.
  virtual void PassTime(absl::Duration time) = 0;
  virtual absl::Time Now() = 0;

  // Lets retention take every event in the log; returns when it has. Deliveries stay known.
  virtual void ExpireEvents() = 0;
};

// The parameter of the contract suites.
struct EngineUnderTest {
  std::string name;
  // A fresh, empty store.
  std::function<std::unique_ptr<StoreEngine>()> make;
};

inline std::string EngineName(const testing::TestParamInfo<EngineUnderTest>& info) { return info.param.name; }

}  // namespace aulm::gateway
