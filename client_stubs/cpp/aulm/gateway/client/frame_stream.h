#pragma once

#include <chrono>
#include <deque>
#include <optional>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "aulm/gateway/v1/event_service.grpc.pb.h"
#include "grpcpp/client_context.h"
#include "grpcpp/support/client_callback.h"

namespace aulm::gateway::client {

// One SubscribeEvents call whose frames one thread takes in turn, with a limit on how long it waits for each.
// FrameSource makes one a connection. Reads a few frames ahead and then no more, so that a slow taker holds the
// gateway back. On gRPC's callback API: its synchronous reads know no time limit.
class FrameStream : private grpc::ClientReadReactor<v1::SubscribeEventsResponse> {
 public:
  // Starts the call; `stub` is not used after.
  FrameStream(v1::EventService::StubInterface& stub, v1::SubscribeEventsRequest request);
  FrameStream(const FrameStream&) = delete;
  FrameStream& operator=(const FrameStream&) = delete;
  // Cancels the call and waits for its end, which is then at once. Never on a thread of gRPC's: with the call may go
  // the last use of its channel, and gRPC 1.51 joins those threads then.
  ~FrameStream() override;

  // The next frame, as soon as there is one; nullopt after `patience`, once the stream has ended and every frame that
  // came was taken, and from Wake on. Blocks. One thread at a time.
  std::optional<v1::SubscribeEventsResponse> Take(absl::Duration patience);

  // How the call ended; nullopt while it runs or frames wait to be taken.
  std::optional<grpc::Status> end() const;

  // How long the gateway has sent nothing although we were reading; zero while frames wait to be taken.
  absl::Duration Silence() const;

  // Ends a Take that waits, and any further one, at once; the call goes on. Thread-safe, does not block.
  void Wake();

  // Ends the call soon, with CANCELLED. Thread-safe, does not block, and may be called at any time and again.
  void Cancel();

 private:
  void OnReadDone(bool ok) override;
  void OnDone(const grpc::Status& status) override;
  bool TakeableOrOver() const ABSL_SHARED_LOCKS_REQUIRED(mu_);
  bool Ended() const ABSL_SHARED_LOCKS_REQUIRED(mu_);

  grpc::ClientContext context_;
  const v1::SubscribeEventsRequest request_;
  // gRPC writes it while a read is under way, OnReadDone moves it out.
  v1::SubscribeEventsResponse incoming_;

  mutable absl::Mutex mu_;
  std::deque<v1::SubscribeEventsResponse> frames_ ABSL_GUARDED_BY(mu_);
  enum class Reading { kUnderWay, kPaused, kOver } reading_ ABSL_GUARDED_BY(mu_) = Reading::kUnderWay;
  bool woken_ ABSL_GUARDED_BY(mu_) = false;
  bool cancelled_ ABSL_GUARDED_BY(mu_) = false;
  std::chrono::steady_clock::time_point reading_since_ ABSL_GUARDED_BY(mu_);
  std::optional<grpc::Status> end_ ABSL_GUARDED_BY(mu_);
};

}  // namespace aulm::gateway::client
