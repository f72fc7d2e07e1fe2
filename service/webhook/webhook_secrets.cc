#include "service/webhook/webhook_secrets.h"

#include <utility>

namespace aulm::gateway {

void WebhookSecrets::Replace(const std::vector<absl::string_view>& secrets) {
  auto keys = std::make_shared<Keys>();
  for (const absl::string_view secret : secrets) {
    if (auto key = SigningKey::Create(secret); key != nullptr) keys->push_back(std::move(key));
  }
  std::shared_ptr<const Keys> made = std::move(keys);
  absl::MutexLock lock(&mutex_);
  keys_.swap(made);  // the old ones are destroyed after the lock: `made` was declared before it
}

std::shared_ptr<const WebhookSecrets::Keys> WebhookSecrets::Current() const {
  absl::MutexLock lock(&mutex_);
  return keys_;
}

}  // namespace aulm::gateway
