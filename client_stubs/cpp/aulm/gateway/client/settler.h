#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "aulm/gateway/client/backoff.h"
#include "aulm/gateway/v1/event_service.grpc.pb.h"

namespace aulm::gateway::client {

// Settles the deliveries of one SharedConsumer: sends as many settlements at once as wait, again where the gateway was
// away, and extends what is still in hand. On a thread of its own; one that came too late is the gateway's to pass
// over. Thread-safe.
class Settler {
 public:
  struct Setup {
    std::string subscription;
    // The subscription's: what is in hand is extended three times in it.
    absl::Duration ack_deadline;
    // No longer than this after a delivery came.
    absl::Duration longest_handling;
    std::function<void(const absl::Status&)> on_not_saved;  // may be null
  };

  Settler(const std::shared_ptr<grpc::ChannelInterface>& channel, Setup setup);
  Settler(const Settler&) = delete;
  Settler& operator=(const Settler&) = delete;
  ~Settler();

  // Notes a delivery that is in hand from now on.
  void Take(const std::string& ack_token);

  // Has a delivery settled, which is in hand no longer. Does not block.
  void Settle(v1::Settlement settlement);

  // Settles what waits, for five seconds at most once the gateway is away, and ends. Blocks.
  void Finish();

 private:
  void Work();
  bool Send(const v1::AcknowledgeEventsRequest& request);
  void Extend() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool SomethingToDo() const ABSL_SHARED_LOCKS_REQUIRED(mu_) { return finishing_ || !waiting_.empty(); }

  const std::shared_ptr<grpc::ChannelInterface> channel_;
  const std::unique_ptr<v1::EventService::Stub> stub_;
  const Setup setup_;
  Backoff backoff_;  // of the thread

  absl::Mutex mu_;
  std::deque<v1::Settlement> waiting_ ABSL_GUARDED_BY(mu_);
  absl::flat_hash_map<std::string, absl::Time> in_hand_ ABSL_GUARDED_BY(mu_);  // since when
  bool finishing_ ABSL_GUARDED_BY(mu_) = false;
  absl::Time give_up_ ABSL_GUARDED_BY(mu_) = absl::InfiniteFuture();

  std::thread thread_;
};

}  // namespace aulm::gateway::client
