#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "aulm/gateway/v1/event_service.grpc.pb.h"
#include "grpcpp/client_context.h"
#include "grpcpp/support/client_callback.h"
#include "gtest/gtest.h"
#include "tests/unit/events/sample_events.h"

namespace aulm::gateway {

// A subscriber without a thread of its own, for tests with many: reads until `count` events came, then cancels; or to
// the stream's end. Must be waited for before it goes.
class CollectingReader final : public grpc::ClientReadReactor<v1::SubscribeEventsResponse> {
 public:
  CollectingReader(v1::EventService::Stub& stub, v1::SubscribeEventsRequest request, size_t count = SIZE_MAX)
      : request_(std::move(request)), count_(count) {
    stub.async()->SubscribeEvents(&context_, &request_, this);
    StartRead(&response_);
    StartCall();
  }

  // Blocks until the Started frame came: what is appended from now on is live for this reader. False when the call
  // ended without one.
  bool WaitForStarted() {
    absl::MutexLock lock(&mutex_);
    const auto settled = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return started_ || over_; };
    EXPECT_TRUE(mutex_.AwaitWithTimeout(absl::Condition(&settled), absl::Seconds(60)));
    return started_;
  }

  // Blocks until the call is over.
  grpc::Status Wait() {
    EXPECT_TRUE(done_.WaitForNotificationWithTimeout(absl::Seconds(120))) << "the stream did not end";
    absl::MutexLock lock(&mutex_);
    return status_;
  }

  void Cancel() { context_.TryCancel(); }

  std::vector<std::string> ids() const {
    absl::MutexLock lock(&mutex_);
    return ids_;
  }
  bool drained() const {
    absl::MutexLock lock(&mutex_);
    return drained_;
  }

 private:
  void OnReadDone(bool ok) override {
    if (!ok) return;
    bool enough;
    {
      absl::MutexLock lock(&mutex_);
      AddDeliveryIds(response_.event_batch(), ids_);
      EXPECT_FALSE(drained_) << "a frame after Drain";
      drained_ = response_.has_drain();
      started_ = started_ || response_.has_started();
      enough = ids_.size() >= count_;
    }
    if (enough) context_.TryCancel();
    StartRead(&response_);
  }

  void OnDone(const grpc::Status& status) override {
    {
      absl::MutexLock lock(&mutex_);
      status_ = status;
      over_ = true;
    }
    done_.Notify();
  }

  grpc::ClientContext context_;
  const v1::SubscribeEventsRequest request_;
  const size_t count_;
  v1::SubscribeEventsResponse response_;
  absl::Notification done_;
  mutable absl::Mutex mutex_;
  std::vector<std::string> ids_ ABSL_GUARDED_BY(mutex_);
  bool started_ ABSL_GUARDED_BY(mutex_) = false;
  bool drained_ ABSL_GUARDED_BY(mutex_) = false;
  bool over_ ABSL_GUARDED_BY(mutex_) = false;
  grpc::Status status_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace aulm::gateway
