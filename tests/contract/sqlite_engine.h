#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "prometheus/registry.h"
#include "service/base/system_random.h"
#include "service/storage/store.h"
#include "tests/contract/store_engine.h"
#include "tests/support/fake_clock.h"
#include "tests/support/temp_folder.h"

namespace aulm::gateway {

// The embedded store, in a folder of its own and with a clock that stands still.
class SqliteEngine final : public StoreEngine {
 public:
  explicit SqliteEngine(size_t recent_events = StoreOptions().recent_events);

  EventLog& log() override { return *store_.log; }
  StateStore& state() override { return *store_.state; }
  void Reopen() override;
  void PassTime(absl::Duration time) override { clock_.Advance(time); }
  absl::Time Now() override { return clock_.Now(); }
  void ExpireEvents() override;

 private:
  const size_t recent_events_;
  TempFolder folder_;
  FakeClock clock_;
  SystemRandom random_;
  std::unique_ptr<prometheus::Registry> registry_;
  Store store_;
};

}  // namespace aulm::gateway
