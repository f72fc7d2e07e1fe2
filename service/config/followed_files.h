#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "service/config/secret.h"
#include "service/config/secret_file.h"

namespace aulm::gateway {

// Files that make one value together, followed over time: whoever owns this calls Check every few seconds. New contents
// count once two checks in a row have seen the same, so that a file half written is never taken for a whole one, nor a
// certificate for its old key's; contents that cannot be used leave the old value in force. The contents are compared
// and not the time or the inode, so a file written in place, a file renamed over it and Kubernetes' swapped symlink are
// all the same to it. Not synchronised; blocks on the disk.
template <typename Value>
class FollowedFiles {
 public:
  enum class Finding {
    kSame,     // nothing new, or nothing that two checks agree on
    kChanged,  // value() is new
    kBroken,   // the files have become unusable: problem() says why; told once for each problem
    kMended,   // after kBroken, the files again make the value that is in force
  };

  // Makes the value of the contents, which are in the order of the paths. Its error is "<problem>: <remedy>", without a
  // secret.
  using Parse = std::function<absl::StatusOr<Value>(const std::vector<Secret>& contents)>;

  FollowedFiles(std::vector<std::string> paths, Parse parse, SecretFileReader read)
      : paths_(std::move(paths)), parse_(std::move(parse)), read_(std::move(read)) {}

  // The first reading, which must succeed before Check is called. INVALID_ARGUMENT with the problem.
  absl::Status Load() {
    Sight sight = Look();
    if (!sight.problem.empty()) return absl::InvalidArgumentError(sight.problem);
    auto value = parse_(sight.contents);
    if (!value.ok()) return absl::InvalidArgumentError(value.status().message());
    contents_ = std::move(sight.contents);
    value_ = *std::move(value);
    return absl::OkStatus();
  }

  Finding Check() {
    Sight sight = Look();
    const bool is_in_force = sight.problem.empty() && sight.contents == contents_;
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

  const std::vector<std::string>& paths() const { return paths_; }
  // The value in force: of the last contents that could be used.
  const Value& value() const { return value_; }
  // Why the files' present contents are not used; empty while they are. Names the file that cannot be read where there
  // are several. Never shows a secret.
  const std::string& problem() const { return problem_; }

 private:
  // What one reading saw: the contents, or the problem that kept them from being read.
  struct Sight {
    std::vector<Secret> contents;
    std::string problem;
    bool operator==(const Sight&) const = default;
  };

  Sight Look() const {
    Sight sight;
    for (const std::string& path : paths_) {
      auto content = read_(path);
      if (!content.ok()) {
        const std::string prefix = paths_.size() > 1 ? absl::StrCat(path, " ") : "";
        return {.contents = {}, .problem = absl::StrCat(prefix, content.status().message())};
      }
      sight.contents.push_back(*std::move(content));
    }
    return sight;
  }

  // A sight that two checks agree on.
  Finding Settle(Sight sight) {
    if (!sight.problem.empty()) return Break(std::move(sight.problem));
    auto value = parse_(sight.contents);
    if (!value.ok()) return Break(std::string(value.status().message()));
    contents_ = std::move(sight.contents);
    const bool was_broken = !std::exchange(problem_, "").empty();
    unsettled_.reset();
    if (*value == value_) return was_broken ? Finding::kMended : Finding::kSame;
    value_ = *std::move(value);
    return Finding::kChanged;
  }

  Finding Break(std::string problem) {
    if (problem == problem_) return Finding::kSame;
    problem_ = std::move(problem);
    return Finding::kBroken;
  }

  const std::vector<std::string> paths_;
  const Parse parse_;
  const SecretFileReader read_;
  std::vector<Secret> contents_;  // that value_ comes from
  Value value_{};
  std::string problem_;
  std::optional<Sight> unsettled_;  // the last check's, when it was new
};

}  // namespace aulm::gateway
