#pragma once

#include <memory>
#include <string>

#include "prometheus/registry.h"
#include "service/base/system_random.h"
#include "service/storage/store.h"
#include "tests/contract/store_engine.h"
#include "tests/support/shifted_clock.h"

namespace aulm::gateway {

// A store on a real nats-server, or three, which the program starts once; each has streams of its own, and takes them
// away again. The server stamps events with its own clock, so only the state's time can be moved on.
class JetStreamEngine final : public StoreEngine {
 public:
  // On the servers at `url`: nats://127.0.0.1:…, or several of them after commas.
  explicit JetStreamEngine(std::string url);
  ~JetStreamEngine() override;

  EventLog& log() override { return *store_.log; }
  StateStore& state() override { return *store_.state; }
  void Reopen() override;
  void PassTime(absl::Duration time) override { clock_.Advance(time); }
  absl::Time Now() override { return clock_.Now(); }
  void ExpireEvents() override;

 private:
  // Asks JetStream's API on a connection of its own.
  void AskApi(const std::string& verb);

  const std::string url_;
  ShiftedClock clock_;
  SystemRandom random_;
  const std::string prefix_;
  std::unique_ptr<prometheus::Registry> registry_;
  Store store_;
};

}  // namespace aulm::gateway
