#include "service/config/followed_secret_file.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace aulm::gateway {

FollowedSecretFile::FollowedSecretFile(std::string path, SecretFormat format, SecretFileReader read)
    : path_(std::move(path)), format_(format), read_(std::move(read)) {}

FollowedSecretFile::Sight FollowedSecretFile::Look() const {
  auto content = read_(path_);
  if (!content.ok()) return {.content = Secret(), .problem = std::string(content.status().message())};
  return {.content = *std::move(content), .problem = ""};
}

absl::Status FollowedSecretFile::Load() {
  Sight sight = Look();
  if (!sight.problem.empty()) return absl::InvalidArgumentError(absl::StrCat(path_, ": ", sight.problem));
  auto secrets = ParseSecrets(format_, sight.content.Reveal());
  if (!secrets.ok()) return absl::InvalidArgumentError(absl::StrCat(path_, ": ", secrets.status().message()));
  content_ = std::move(sight.content);
  secrets_ = *std::move(secrets);
  return absl::OkStatus();
}

FollowedSecretFile::Finding FollowedSecretFile::Check() {
  Sight sight = Look();
  const bool is_in_force = sight.problem.empty() && sight.content == content_;
  if (is_in_force && problem_.empty()) {
    unsettled_.reset();
    return Finding::kSame;
  }
  if (unsettled_ != sight) {
    unsettled_ = std::move(sight);
    return Finding::kSame;
  }
  return Settle(std::move(sight));
}

FollowedSecretFile::Finding FollowedSecretFile::Settle(Sight sight) {
  if (!sight.problem.empty()) return Break(std::move(sight.problem));
  auto secrets = ParseSecrets(format_, sight.content.Reveal());
  if (!secrets.ok()) return Break(std::string(secrets.status().message()));
  content_ = std::move(sight.content);
  const bool was_broken = !std::exchange(problem_, "").empty();
  unsettled_.reset();
  if (*secrets == secrets_) return was_broken ? Finding::kMended : Finding::kSame;
  secrets_ = *std::move(secrets);
  return Finding::kChanged;
}

FollowedSecretFile::Finding FollowedSecretFile::Break(std::string problem) {
  if (problem == problem_) return Finding::kSame;
  problem_ = std::move(problem);
  return Finding::kBroken;
}

}  // namespace aulm::gateway
