#include "aulm/gateway/client/event_follower.h"

#include <utility>

#include "aulm/gateway/client/event_source.h"

namespace aulm::gateway::client {

EventFollower::EventFollower(const std::shared_ptr<grpc::ChannelInterface>& channel, FollowOptions options)
    : source_(std::make_unique<EventSource>(channel, std::move(options))) {}

EventFollower::~EventFollower() = default;

std::optional<v1::Event> EventFollower::Next() {
  MarkHandled();
  std::optional<EventSource::Received> received = source_->Next();
  if (!received.has_value()) {
    source_->Finish();
    return std::nullopt;
  }
  in_hand_ = received->number;
  return std::move(received->event);
}

absl::Status EventFollower::Commit() {
  MarkHandled();
  return source_->Save();
}

void EventFollower::Stop() { source_->Stop(); }

const std::optional<CallError>& EventFollower::error() const { return source_->error(); }

std::string EventFollower::cursor() const { return source_->cursor(); }

void EventFollower::MarkHandled() {
  if (const std::optional<uint64_t> number = std::exchange(in_hand_, std::nullopt)) {
    source_->MarkHandled(*number).IgnoreError();  // the source's error with the next look
  }
}

}  // namespace aulm::gateway::client
