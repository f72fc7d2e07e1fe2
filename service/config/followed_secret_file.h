#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "service/config/secret.h"
#include "service/config/secret_file.h"

namespace aulm::gateway {

// One secret file followed over time: whoever owns it calls Check every few seconds. A new content counts once two
// checks in a row have seen the same, so that a file half written is never taken for a whole one; a content that cannot
// be used leaves the old secrets in force. The content is compared and not the time or the inode, so a file written in
// place, a file renamed over it and Kubernetes' swapped symlink are all the same to it. Not synchronised; blocks on the
// disk.
class FollowedSecretFile {
 public:
  enum class Finding {
    kSame,     // nothing new, or nothing that two checks agree on
    kChanged,  // secrets() is new
    kBroken,   // the file has become unusable: problem() says why; told once for each problem
    kMended,   // after kBroken, the file again holds the secrets that are in force
  };

  FollowedSecretFile(std::string path, SecretFormat format, SecretFileReader read);

  // The first reading, which must succeed before Check is called. INVALID_ARGUMENT with "<path>: <problem>…".
  absl::Status Load();

  Finding Check();

  const std::string& path() const { return path_; }
  // The secrets in force: of the last content that could be used.
  const std::vector<Secret>& secrets() const { return secrets_; }
  // Why the file's present content is not used; empty while it is. Never shows a secret.
  const std::string& problem() const { return problem_; }

 private:
  // What one reading saw: a content, or the problem that kept it from being read.
  struct Sight {
    Secret content;
    std::string problem;
    bool operator==(const Sight&) const = default;
  };
  Sight Look() const;
  // A sight that two checks agree on.
  Finding Settle(Sight sight);
  Finding Break(std::string problem);

  const std::string path_;
  const SecretFormat format_;
  const SecretFileReader read_;
  Secret content_;  // that secrets_ comes from
  std::vector<Secret> secrets_;
  std::string problem_;
  std::optional<Sight> unsettled_;  // the last check's, when it was new
};

}  // namespace aulm::gateway
