#include "service/webhook/signature_verifier.h"

#include <optional>

#include "service/webhook/signature.h"

namespace aulm::gateway {

SignatureVerdict VerifySignature(const ServedRequest& request, const WebhookSecrets::Keys& keys) {
  using Result = SignatureVerdict::Result;
  const size_t given = request.CountHeader("x-aulm-signature");
  if (given == 0) return {Result::kAbsent, 0};
  const std::optional<SignatureDigest> wanted = ParseSignature(request.Header("x-aulm-signature"));
  if (given > 1 || !wanted.has_value()) return {Result::kMalformed, 0};
  if (keys.empty()) return {Result::kNoSecret, 0};
  for (size_t slot = 0; slot < keys.size(); ++slot) {
    const std::optional<SignatureDigest> made = keys[slot]->Sign(request.body);
    if (!made.has_value()) return {Result::kNoSecret, 0};
    if (SameDigest(*made, *wanted)) return {Result::kValid, slot};
  }
  return {Result::kWrong, 0};
}

}  // namespace aulm::gateway
