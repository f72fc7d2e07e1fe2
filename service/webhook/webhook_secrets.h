#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "service/webhook/signing_key.h"

namespace aulm::gateway {

// The signing secrets of one account, as they are now: whoever watches their files replaces them, the webhook service
// asks for them with each delivery. Several at a time make a rotation possible. Thread-safe.
class WebhookSecrets {
 public:
  // In the order given: the place in the list is the slot that metrics name.
  using Keys = std::vector<std::unique_ptr<const SigningKey>>;

  // `secrets` in the order of their slots; empty ones are left out.
  explicit WebhookSecrets(const std::vector<absl::string_view>& secrets = {}) { Replace(secrets); }

  // From now on these hold; deliveries under way keep those that they began with.
  void Replace(const std::vector<absl::string_view>& secrets) ABSL_LOCKS_EXCLUDED(mutex_);

  // Never null; empty when there is no usable secret.
  std::shared_ptr<const Keys> Current() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  mutable absl::Mutex mutex_;
  std::shared_ptr<const Keys> keys_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace aulm::gateway
