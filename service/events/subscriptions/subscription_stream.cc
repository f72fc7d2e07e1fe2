#include "service/events/subscriptions/subscription_stream.h"

#include <utility>

namespace aulm::gateway {

SubscriptionStream::SubscriptionStream(Find find, ConsumerSpec spec, std::string id, std::function<void()> on_close)
    : find_(std::move(find)), spec_(std::move(spec)), id_(std::move(id)), on_close_(std::move(on_close)) {}

void SubscriptionStream::Start(StartCallback done) {
  find_(spec_.subscription, [self = shared_from_this(), done = std::move(done)](Found found) mutable {
    self->OnFound(std::move(found), std::move(done));
  });
}

void SubscriptionStream::Close() {
  std::shared_ptr<FrameSource> source;
  {
    absl::MutexLock lock(&mutex_);
    if (std::exchange(closed_, true)) return;
    source = source_;
  }
  if (source != nullptr) source->Close();
  on_close_();
}

FrameSource::Totals SubscriptionStream::totals() const {
  const std::shared_ptr<FrameSource> found = source();
  return found == nullptr ? Totals{} : found->totals();
}

std::shared_ptr<FrameSource> SubscriptionStream::source() const {
  absl::MutexLock lock(&mutex_);
  return source_;
}

void SubscriptionStream::OnFound(Found found, StartCallback done) {
  absl::StatusOr<std::shared_ptr<FrameSource>> source =
      found.ok() ? (*found)->AddConsumer(spec_) : absl::StatusOr<std::shared_ptr<FrameSource>>(found.status());
  if (!source.ok()) {
    std::move(done)(source.status());
    return;
  }
  bool closed;
  {
    absl::MutexLock lock(&mutex_);
    closed = closed_;
    if (!closed) source_ = *source;
  }
  if (closed) {
    std::move(done)(absl::CancelledError("the stream was closed"));
    return;
  }
  (*source)->Start([self = shared_from_this(), source = *source, done = std::move(done)](absl::Status status) mutable {
    // Close may have come before the source was ready to be closed.
    bool gone;
    {
      absl::MutexLock lock(&self->mutex_);
      gone = self->closed_;
    }
    if (gone) source->Close();
    std::move(done)(std::move(status));
  });
}

}  // namespace aulm::gateway
