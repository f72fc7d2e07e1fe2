#pragma once

#include <cstddef>

#include "absl/strings/string_view.h"
#include "service/http/served_request.h"
#include "service/webhook/webhook_secrets.h"

namespace aulm::gateway {

// What a delivery's signature is worth.
struct SignatureVerdict {
  enum class Result {
    kValid,
    kAbsent,     // no x-aulm-signature
    kMalformed,  // more than one, or not "sha256=" and 64 hexadecimal digits
    kWrong,      // well-formed, and no secret makes it
    kNoSecret,   // nothing to verify with, or OpenSSL failed: our fault
  };
  Result result = Result::kNoSecret;
  size_t slot = 0;  // kValid: which secret matched, from 0
};

// Verifies `request`'s x-aulm-signature over its raw body, in constant time, against each of `keys`.
SignatureVerdict VerifySignature(const ServedRequest& request, const WebhookSecrets::Keys& keys);

}  // namespace aulm::gateway
