#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "service/config/followed_files.h"
#include "service/config/secret.h"
#include "service/config/secret_file.h"

namespace aulm::gateway {

// One secret file followed over time. Not synchronised; blocks on the disk.
class FollowedSecretFile {
 public:
  using Files = FollowedFiles<std::vector<Secret>>;
  using Finding = Files::Finding;

  FollowedSecretFile(std::string path, SecretFormat format, SecretFileReader read);

  // The first reading, which must succeed before Check is called. INVALID_ARGUMENT with "<path>: <problem>…".
  absl::Status Load();

  Finding Check() { return files_.Check(); }

  const std::string& path() const { return files_.paths().front(); }
  // The secrets in force: of the last content that could be used.
  const std::vector<Secret>& secrets() const { return files_.value(); }
  // Why the file's present content is not used; empty while it is. Never shows a secret.
  const std::string& problem() const { return files_.problem(); }

 private:
  Files files_;
};

}  // namespace aulm::gateway
