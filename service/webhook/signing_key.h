#pragma once

#include <openssl/evp.h>

#include <memory>
#include <optional>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "service/webhook/signature.h"

namespace aulm::gateway {

// One signing secret of a webhook endpoint, made ready for signing: its key schedule is computed once, and the secret
// itself is not kept. Thread-safe.
class SigningKey {
 public:
  // nullptr when the secret is empty (anybody could sign with it) or OpenSSL fails.
  static std::unique_ptr<SigningKey> Create(absl::string_view secret);

  ~SigningKey() = default;

  // HMAC-SHA256 of `body`; nullopt when OpenSSL fails, which only a lack of memory explains.
  std::optional<SignatureDigest> Sign(absl::string_view body) const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Free {
    void operator()(EVP_MAC_CTX* context) const { EVP_MAC_CTX_free(context); }
  };
  using Context = std::unique_ptr<EVP_MAC_CTX, Free>;

  explicit SigningKey(Context keyed) : keyed_(std::move(keyed)) {}

  const Context keyed_;  // never signs: the others are its copies
  mutable absl::Mutex mutex_;
  mutable std::vector<Context> spare_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace aulm::gateway
