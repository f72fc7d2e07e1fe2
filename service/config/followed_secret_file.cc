#include "service/config/followed_secret_file.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace aulm::gateway {

FollowedSecretFile::FollowedSecretFile(std::string path, SecretFormat format, SecretFileReader read)
    : files_(
          {std::move(path)},
          [format](const std::vector<Secret>& contents) { return ParseSecrets(format, contents.front().Reveal()); },
          std::move(read)) {}

absl::Status FollowedSecretFile::Load() {
  absl::Status status = files_.Load();
  if (status.ok()) return status;
  return absl::InvalidArgumentError(absl::StrCat(path(), ": ", status.message()));
}

}  // namespace aulm::gateway
