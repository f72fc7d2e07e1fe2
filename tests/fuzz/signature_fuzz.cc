// An x-aulm-signature header: first line the header, the rest the body. Only the one true signature of the body is
// valid, written in either case; every other header is malformed or wrong.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "service/webhook/signature_verifier.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using aulm::gateway::SignatureVerdict;
  static const aulm::gateway::WebhookSecrets& secrets = *new aulm::gateway::WebhookSecrets({"secret", "other"});
  const absl::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t line = input.find('\n');
  const std::string header(input.substr(0, line));

  aulm::gateway::ServedRequest request;
  request.headers = {{"x-aulm-signature", header}};
  if (line != absl::string_view::npos) request.body = std::string(input.substr(line + 1));
  const auto keys = secrets.Current();
  const SignatureVerdict verdict = VerifySignature(request, *keys);

  const auto is_of = [&](size_t slot) {
    const aulm::gateway::SignatureDigest digest = *(*keys)[slot]->Sign(request.body);
    const absl::string_view bytes(reinterpret_cast<const char*>(digest.data()), digest.size());
    return absl::StartsWith(header, "sha256=") &&
           absl::AsciiStrToLower(header) == absl::StrCat("sha256=", absl::BytesToHexString(bytes));
  };
  const bool valid = is_of(0) || is_of(1);
  if (valid != (verdict.result == SignatureVerdict::Result::kValid)) abort();
  if (valid && !is_of(verdict.slot)) abort();
  return 0;
}
