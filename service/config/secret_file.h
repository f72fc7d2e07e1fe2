#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "service/config/secret.h"

namespace aulm::gateway {

// What a secret file holds.
enum class SecretFormat {
  kApiKey,          // one aulm API key on one line
  kWebhookSecrets,  // signing secrets, one a line; empty lines do not count, every other byte of a line does
  kTokenDigests,    // the SHA-256 of bearer tokens in hexadecimal, one a line; given out as 32 bytes each
};

// The whole content of a small file: ReadSecretFile in the service, something else in fuzz targets.
using SecretFileReader = std::function<absl::StatusOr<Secret>(const std::string& path)>;

// The content of the regular file at `path`, at most 64 KiB. Blocks on the disk (a network's, perhaps for long).
// NOT_FOUND or FAILED_PRECONDITION with the problem in words ("cannot be read (Permission denied)"), without the path.
absl::StatusOr<Secret> ReadSecretFile(const std::string& path);

// The secrets in a file's content: one for kApiKey, at least one for the others. INVALID_ARGUMENT with
// "<problem>: <remedy>", which never shows a secret.
absl::StatusOr<std::vector<Secret>> ParseSecrets(SecretFormat format, absl::string_view content);

}  // namespace aulm::gateway
