#include "tests/faults/cluster/handled_events.h"

#include <gtest/gtest.h>

#include "tests/faults/cluster/sender.h"

namespace aulm::gateway {
namespace {

constexpr uint64_t kOthers = 3;
constexpr absl::Duration kMoment = absl::Milliseconds(20);

}  // namespace

void HandledEvents::Begin(const v1::Delivery& delivery, const Stream& stream) {
  const v1::Event& event = delivery.event();
  const std::string& id = event.delivery_id();
  const std::string& peer = event.inbound_message().from();
  absl::MutexLock lock(&mutex_);
  ++begun_;
  redelivered_ += delivery.attempt() > 1 ? 1 : 0;
  if (IsDisturbed(stream)) return;
  EXPECT_FALSE(settled_.contains(id)) << id << " was settled, and came again at gateway " << stream.gateway;
  const std::string before = Sender::Before(id);
  EXPECT_TRUE(before.empty() || handled_.contains(before)) << id << " overtook " << before;
  const auto [hand, free] = hands_.try_emplace(peer, Hand{id, stream});
  if (free) return;
  EXPECT_TRUE(IsDisturbed(hand->second.stream))
      << id << " came at gateway " << stream.gateway << " while " << hand->second.delivery_id
      << " of the same conversation was in hand at gateway " << hand->second.stream.gateway;
  hand->second = {id, stream};
}

void HandledEvents::End(const v1::Event& event) {
  absl::MutexLock lock(&mutex_);
  handled_.insert(event.delivery_id());
  const auto hand = hands_.find(event.inbound_message().from());
  if (hand != hands_.end() && hand->second.delivery_id == event.delivery_id()) hands_.erase(hand);
}

void HandledEvents::Settled(const std::string& delivery_id) {
  absl::MutexLock lock(&mutex_);
  settled_.insert(delivery_id);
}

void HandledEvents::Linger() {
  absl::MutexLock lock(&mutex_);
  const uint64_t until = begun_ + kOthers;
  const auto more = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return begun_ >= until; };
  mutex_.AwaitWithTimeout(absl::Condition(&more), kMoment);
}

bool HandledEvents::AwaitHandled(size_t count, absl::Duration patience) const {
  absl::MutexLock lock(&mutex_);
  const auto all = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return handled_.size() >= count; };
  return mutex_.AwaitWithTimeout(absl::Condition(&all), patience);
}

size_t HandledEvents::handled() const {
  absl::MutexLock lock(&mutex_);
  return handled_.size();
}

int HandledEvents::redelivered() const {
  absl::MutexLock lock(&mutex_);
  return redelivered_;
}

bool HandledEvents::Has(const std::string& delivery_id) const {
  absl::MutexLock lock(&mutex_);
  return handled_.contains(delivery_id);
}

}  // namespace aulm::gateway
