#include "aulm/gateway/client/event_subscriber.h"

#include <utility>

#include "aulm/gateway/client/conversation_lanes.h"
#include "aulm/gateway/client/event_source.h"

namespace aulm::gateway::client {
namespace {

constexpr size_t kMostWaiting = 1000;  // events that came and wait for a handler

}  // namespace

EventSubscriber::EventSubscriber(const std::shared_ptr<grpc::ChannelInterface>& channel, FollowOptions options,
                                 int concurrency, Handler handler)
    : source_(std::make_unique<EventSource>(channel, std::move(options))),
      concurrency_(concurrency),
      handler_(std::move(handler)) {}

EventSubscriber::~EventSubscriber() = default;

absl::Status EventSubscriber::Run() {
  ConversationLanes lanes(concurrency_, kMostWaiting);
  {
    absl::MutexLock lock(&mu_);
    if (!stopped_) running_ = &lanes;
  }
  while (std::optional<EventSource::Received> received = source_->Next()) {
    std::string conversation = ConversationOf(received->event);
    lanes.Submit({.conversation = std::move(conversation),
                  .run =
                      [this, received = *std::move(received)] {
                        absl::Status status = handler_(received.event);
                        if (status.ok()) status = source_->MarkHandled(received.number);
                        if (!status.ok()) source_->Stop();
                        return status;
                      },
                  .drop = nullptr});
  }
  {
    absl::MutexLock lock(&mu_);
    running_ = nullptr;
  }
  absl::Status handled = lanes.Join();
  source_->Finish();
  if (!handled.ok()) return handled;
  return error().has_value() ? ToStatus(*error()) : absl::OkStatus();
}

void EventSubscriber::Stop() {
  source_->Stop();
  absl::MutexLock lock(&mu_);
  stopped_ = true;
  // Also while Run waits for room among the handlers. What is dropped has nothing to call.
  if (running_ != nullptr) running_->Close();
}

const std::optional<CallError>& EventSubscriber::error() const { return source_->error(); }

}  // namespace aulm::gateway::client
