#pragma once

#include <array>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "tests/support/gateway_process.h"

namespace aulm::gateway {

// Three gateways on one store, which a test kills, stops and starts again while its threads call them. Its methods that
// do so are for one thread; the others are thread-safe.
class Fleet {
 public:
  static constexpr size_t kSize = 3;

  // `folder` must exist; `store` is a GATEWAY_STORE.
  Fleet(std::string folder, std::string store, std::string webhook_secret)
      : folder_(std::move(folder)), store_(std::move(store)), webhook_secret_(std::move(webhook_secret)) {}

  // Errors: what the gateway said instead of getting ready.
  absl::Status Start(size_t index);
  // SIGKILL, and waits for the end.
  void Kill(size_t index);
  // SIGTERM, and waits for the end: the exit status. Error: DEADLINE_EXCEEDED.
  absl::StatusOr<int> Terminate(size_t index);
  void Stop(size_t index);
  void Wake(size_t index);
  // True when it ended by itself.
  bool HasEnded(size_t index);

  const std::string& webhook_secret() const { return webhook_secret_; }
  // host:port. Of a gateway that is dead: where it was.
  std::string grpc_address(size_t index) const ABSL_LOCKS_EXCLUDED(mutex_);
  std::string webhook_address(size_t index) const ABSL_LOCKS_EXCLUDED(mutex_);

  // Counts how often the gateway was about to be killed, ended, stopped or woken. Each time it had perhaps decided on a
  // frame and not sent it yet, and what it had given away may be given away elsewhere.
  int disturbances(size_t index) const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Addresses {
    std::string grpc, webhook;
    int disturbances = 0;
  };

  void Disturb(size_t index) ABSL_LOCKS_EXCLUDED(mutex_);

  const std::string folder_;
  const std::string store_;
  const std::string webhook_secret_;
  std::array<std::optional<GatewayProcess>, kSize> gateways_;  // of the test's thread
  mutable absl::Mutex mutex_;
  std::array<Addresses, kSize> addresses_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace aulm::gateway
