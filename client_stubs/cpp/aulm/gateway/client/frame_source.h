#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "aulm/gateway/client/backoff.h"
#include "aulm/gateway/client/call_error.h"
#include "aulm/gateway/client/call_result.h"
#include "aulm/gateway/client/notices.h"
#include "aulm/gateway/v1/event_service.grpc.pb.h"
#include "aulm/gateway/v1/subscription_service.pb.h"

namespace aulm::gateway::client {

class FrameStream;

// The frames of SubscribeEvents over broken connections, drains, silence and restarts of the gateway: connects, backs
// off and connects again. One thread takes frames; any thread may stop it. Used by EventSource and SharedConsumer.
class FrameSource {
 public:
  struct Setup {
    // For a new stream, from where things stand. Called by Take.
    std::function<v1::SubscribeEventsRequest()> next_request;
    // Called by Take before each wait between streams; may be null.
    std::function<void()> on_interrupted;
    absl::Duration least_backoff;
    absl::Duration most_backoff;
    // After this much time without a frame a stream is dead.
    absl::Duration longest_silence;
  };

  // `notices` must outlive it.
  FrameSource(const std::shared_ptr<grpc::ChannelInterface>& channel, Setup setup, const Notices& notices);
  FrameSource(const FrameSource&) = delete;
  FrameSource& operator=(const FrameSource&) = delete;
  ~FrameSource();

  // The next frame. nullopt after `patience` at most, so that the caller can see to other things, and at once when
  // stopped or where trying again cannot mend what happened: see error(). A frame's Drain is obeyed by the next Take.
  std::optional<v1::SubscribeEventsResponse> Take(absl::Duration patience);

  // What the gateway says of a durable subscription, asked for as long as it is away: before the first Take. Fails with
  // CANCELLED when stopped before.
  CallResult<v1::Subscription> FindSubscription(const std::string& name);

  // Leaves the stream. On the thread of Take.
  void Close();

  // Makes Take return nullopt at once, for good. The stream stays until Close: what is in hand can be settled.
  // Thread-safe, does not block.
  void Stop();
  bool stopped() const;

  // Waits, less long when stopped or connected again.
  void Pause(absl::Duration wait);

  // What ended it for good. On the thread of Take.
  const std::optional<CallError>& error() const { return error_; }

 private:
  std::shared_ptr<FrameStream> stream() const;
  std::shared_ptr<FrameStream> Open();
  void Note(const v1::SubscribeEventsResponse& frame);
  void Ended(CallError error);
  void Leave(const CallError& error, absl::Duration least_wait);

  const std::shared_ptr<grpc::ChannelInterface> channel_;
  const std::unique_ptr<v1::EventService::Stub> stub_;
  const Setup setup_;
  const Notices& notices_;

  // The rest up to mu_ belongs to the thread of Take.
  Backoff backoff_;
  absl::Time not_before_ = absl::InfinitePast();  // on the monotonic clock
  bool progressed_ = false;                       // this stream sent more than Started and Drain
  std::optional<v1::Drain> drain_;                // taken, and not yet obeyed
  std::optional<CallError> error_;

  mutable absl::Mutex mu_;
  std::shared_ptr<FrameStream> stream_ ABSL_GUARDED_BY(mu_);  // replaced on the thread of Take alone
  bool stopped_ ABSL_GUARDED_BY(mu_) = false;
};

// After how much time without a frame a stream of this request is dead: three heartbeat intervals.
absl::Duration LongestSilence(const v1::SubscribeEventsRequest& request);

}  // namespace aulm::gateway::client
