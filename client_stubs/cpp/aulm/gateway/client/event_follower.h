#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "aulm/gateway/client/call_error.h"
#include "aulm/gateway/client/follow_options.h"
#include "grpcpp/channel.h"

namespace aulm::gateway::client {

class EventSource;

// Follows the gateway's events, each once and in order, over broken connections and restarts of the gateway: reconnects
// with backoff and resumes after the last event that came, waits as a Drain asks, and gives up a stream that is silent
// for three heartbeat intervals. One thread loops over Next; any thread may Stop it:
//
//   EventFollower follower(channel, options);
//   while (const std::optional<v1::Event> event = follower.Next()) Handle(*event);
//   if (follower.error()) …
//
// A blocking iterator, since a handler then has its own thread, and a slow one simply holds the gateway back. For
// several handlers at the same time there is EventSubscriber.
class EventFollower {
 public:
  // Does not connect: the first Next does.
  EventFollower(const std::shared_ptr<grpc::ChannelInterface>& channel, FollowOptions options);
  EventFollower(const EventFollower&) = delete;
  EventFollower& operator=(const EventFollower&) = delete;
  // Does not save the position: Next or Commit did.
  ~EventFollower();

  // The next event. Blocks, however long none comes and the gateway is away. Says by being called that the event
  // before was handled. nullopt for ever once stopped, or after an error that trying again cannot mend: see error().
  std::optional<v1::Event> Next();

  // Says that the last event was handled, and saves the position now: for leaving the loop after an event. OK without
  // a store. On the thread of Next.
  absl::Status Commit();

  // Makes Next return nullopt soon, for good. Thread-safe, does not block; not for signal handlers.
  void Stop();

  // Why Next ended by itself: a bad request (INVALID_ARGUMENT), CURSOR_EXPIRED, not allowed, or a cursor store that
  // cannot be read or written. nullopt when it was stopped or still goes on. On the thread of Next.
  const std::optional<CallError>& error() const;

  // Stands after the last handled event; empty before anything is known. On the thread of Next.
  std::string cursor() const;

 private:
  void MarkHandled();

  const std::unique_ptr<EventSource> source_;
  std::optional<uint64_t> in_hand_;  // what Next returned last, until it is handled
};

}  // namespace aulm::gateway::client
