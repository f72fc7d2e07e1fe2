#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "service/base/clock.h"
#include "service/base/random.h"
#include "service/http/served_request.h"

namespace aulm::gateway {

// Who may look at the admin page. With a token: who brings it as `authorization: Bearer …`, or a cookie that it was
// given for the token; the cookie holds a time and its HMAC, never the token, and ends with the process or the token.
// Without one, whoever asks for a loopback name: another site that points its own name here gets nothing. Thread-safe.
class PageAccess {
 public:
  struct Options {
    // The SHA-256, 32 bytes, of each token that counts, asked at every request. Not set: no token is needed.
    std::function<std::vector<std::string>()> token_digests;
    bool secure = false;  // the listener speaks TLS: the cookie is for TLS alone
    absl::Duration signed_in_for = absl::Hours(12);
  };

  // The clock outlives this.
  PageAccess(Options options, Clock& clock, Random& random);

  bool needs_token() const { return options_.token_digests != nullptr; }

  bool Allows(const ServedRequest& request) const;

  // The set-cookie value for who brought the right token; nullopt for a wrong one.
  std::optional<std::string> SignIn(absl::string_view token) const;

  // The set-cookie value that takes the cookie away.
  std::string SignOut() const;

 private:
  // The digest of the token, where it is one that counts.
  std::optional<std::string> DigestOf(absl::string_view token) const;
  bool IsCookie(absl::string_view value) const;
  std::string Sign(absl::string_view until, absl::string_view digest) const;
  std::string Cookie(absl::string_view value, int64_t max_age) const;

  const Options options_;
  Clock& clock_;
  const std::string key_;  // random, of this process
};

}  // namespace aulm::gateway
