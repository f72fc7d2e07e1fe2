#include "tests/faults/cluster/subscriber.h"

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

namespace aulm::gateway {

void Subscriber::Run() {
  for (size_t at = home_;; at = (at + 1) % Fleet::kSize) {
    auto context = std::make_shared<grpc::ClientContext>();
    {
      absl::MutexLock lock(&mutex_);
      if (stopped_) return;
      context_ = context;
    }
    v1::SubscribeEventsRequest request;
    if (cursor_.empty()) {
      request.set_position(v1::START_POSITION_EARLIEST);
    } else {
      request.set_after_cursor(cursor_);
    }
    const auto stub =
        v1::EventService::NewStub(grpc::CreateChannel(fleet_.grpc_address(at), grpc::InsecureChannelCredentials()));
    const auto stream = stub->SubscribeEvents(context.get(), request);
    v1::SubscribeEventsResponse frame;
    while (stream->Read(&frame)) Take(frame);
    const grpc::Status status = stream->Finish();
    ASSERT_NE(status.error_code(), grpc::StatusCode::OUT_OF_RANGE) << status.error_message();
  }
}

void Subscriber::Stop() {
  absl::MutexLock lock(&mutex_);
  stopped_ = true;
  if (context_ != nullptr) context_->TryCancel();
}

bool Subscriber::AwaitSize(size_t size, absl::Duration patience) const {
  absl::MutexLock lock(&mutex_);
  const auto has = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return ids_.size() >= size; };
  return mutex_.AwaitWithTimeout(absl::Condition(&has), patience);
}

std::vector<std::string> Subscriber::ids() const {
  absl::MutexLock lock(&mutex_);
  return ids_;
}

void Subscriber::Take(const v1::SubscribeEventsResponse& frame) {
  ASSERT_FALSE(frame.has_gap());
  if (frame.has_heartbeat()) cursor_ = frame.heartbeat().resume_cursor();
  if (frame.has_drain()) cursor_ = frame.drain().resume_cursor();
  if (!frame.has_event_batch()) return;
  absl::MutexLock lock(&mutex_);
  for (const v1::Delivery& delivery : frame.event_batch().deliveries()) ids_.push_back(delivery.event().delivery_id());
  cursor_ = frame.event_batch().resume_cursor();
}

}  // namespace aulm::gateway
