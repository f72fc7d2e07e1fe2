#pragma once

#include <openssl/types.h>

#include <memory>
#include <string>

#include "absl/strings/string_view.h"

namespace aulm::simulator {

// Makes the value of `x-aulm-signature`: `sha256=` and the hex HMAC-SHA256 of the raw body under an endpoint's secret
// (aulm API, "Webhooks"). Keeps the keyed state, since setting the key up costs more than signing. Not thread-safe.
class WebhookSigner {
 public:
  explicit WebhookSigner(absl::string_view secret);
  ~WebhookSigner();
  WebhookSigner(const WebhookSigner&) = delete;
  WebhookSigner& operator=(const WebhookSigner&) = delete;

  std::string Sign(absl::string_view body);

 private:
  struct Free {
    void operator()(EVP_MAC_CTX* context) const;
  };
  std::unique_ptr<EVP_MAC_CTX, Free> context_;
};

}  // namespace aulm::simulator
