#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "absl/container/flat_hash_set.h"
#include "aulm/gateway/client/acknowledged_position.h"
#include "aulm/gateway/client/follow_options.h"
#include "aulm/gateway/client/frame_source.h"
#include "aulm/gateway/client/position.h"

namespace aulm::gateway::client {

// The events from one place of the log on, each once and in order, over any number of streams, and the position among
// them. One thread takes events; any thread says that one was handled, or stops it. Behind EventFollower and
// EventSubscriber.
class EventSource {
 public:
  struct Received {
    uint64_t number;  // for MarkHandled
    v1::Event event;
  };

  // Does not connect: the first Next does.
  EventSource(const std::shared_ptr<grpc::ChannelInterface>& channel, FollowOptions options);
  EventSource(const EventSource&) = delete;
  EventSource& operator=(const EventSource&) = delete;

  // The next event, however long none comes. nullopt for ever once stopped or where error() says why.
  std::optional<Received> Next();

  // Says that an event was handled, and saves the position when that is due. The store's error. Any thread.
  absl::Status MarkHandled(uint64_t number) { return position_.MarkHandled(number); }

  // Saves the position now.
  absl::Status Save() { return position_.Save(); }

  // Saves the position, then leaves the stream: a store that fails is the error where there was none. On the thread of
  // Next; may be called again.
  void Finish();

  // Makes Next return nullopt soon, for good. Thread-safe, does not block.
  void Stop() { frames_.Stop(); }

  // On the thread of Next.
  const std::optional<CallError>& error() const { return error_.has_value() ? error_ : frames_.error(); }

  // Stands after the last event up to which all are handled; empty before anything is known.
  std::string cursor() const { return position_.handled(); }

 private:
  void Begin();
  void CheckMode();
  void Fail(const absl::Status& status);
  v1::SubscribeEventsRequest NextRequest();
  void Accept(v1::SubscribeEventsResponse frame);
  void MoveTo(const std::string& cursor);
  bool durable() const { return !options_.request.subscription().empty(); }

  const FollowOptions options_;
  const std::unique_ptr<AcknowledgedPosition> acknowledged_;  // of a durable subscription alone
  Position position_;
  FrameSource frames_;

  // The rest belongs to the thread of Next.
  bool begun_ = false;
  std::optional<CallError> error_;
  bool has_started_ = false;                  // some stream has
  std::string received_;                      // after everything that came: where a new stream starts
  std::deque<Received> waiting_;              // came in a frame, and not yet handed out
  absl::flat_hash_set<std::string> repeats_;  // of a durable subscription: what this stream may send though we have it
};

}  // namespace aulm::gateway::client
