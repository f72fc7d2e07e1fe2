#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "aulm/gateway/client/call_error.h"
#include "aulm/gateway/client/follow_options.h"
#include "grpcpp/channel.h"

namespace aulm::gateway::client {

class ConversationLanes;
class EventSource;

// Has handlers called for the gateway's events: several at the same time, in order within a conversation, each event
// once over broken connections and restarts of the gateway, as EventFollower describes. The position never passes an
// event that is not handled.
//
//   EventSubscriber subscriber(channel, options, 8, [](const v1::Event& event) { return Store(event); });
//   absl::Status status = subscriber.Run();  // until some thread calls subscriber.Stop()
class EventSubscriber {
 public:
  // Called on threads of the subscriber's. OK: the event was handled. An error ends Run with it: the event was not
  // handled, and comes again with the same position.
  using Handler = std::function<absl::Status(const v1::Event& event)>;

  // Does not connect: Run does. `concurrency`: how many handlers run at the same time, at least 1; with 1 they see the
  // log's order.
  EventSubscriber(const std::shared_ptr<grpc::ChannelInterface>& channel, FollowOptions options, int concurrency,
                  Handler handler);
  EventSubscriber(const EventSubscriber&) = delete;
  EventSubscriber& operator=(const EventSubscriber&) = delete;
  ~EventSubscriber();

  // Follows events until stopped, which is OK; until a handler or the cursor store fails, whose error it returns; or
  // until something that trying again cannot mend: see error(), whose status it returns. The handlers that run have
  // returned by then, and the position is saved. Blocks. Once.
  absl::Status Run();

  // Makes Run end once the handlers that run have returned. Thread-safe, does not block; not for signal handlers.
  void Stop();

  // Why Run ended, where neither Stop nor a handler ended it: as EventFollower::error. After Run.
  const std::optional<CallError>& error() const;

 private:
  const std::unique_ptr<EventSource> source_;
  const int concurrency_;
  const Handler handler_;

  absl::Mutex mu_;
  bool stopped_ ABSL_GUARDED_BY(mu_) = false;
  ConversationLanes* running_ ABSL_GUARDED_BY(mu_) = nullptr;  // while Run hands events to it
};

}  // namespace aulm::gateway::client
