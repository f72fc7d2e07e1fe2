#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "service/base/text.h"

namespace aulm::gateway {

// `text` for a message: valid UTF-8, and without a line break that would make two problems of one.
inline std::string OnOneLine(absl::string_view text) { return absl::Utf8SafeCHexEscape(RepairUtf8(text)); }

// `value` in quotes for a message: control characters escaped, cut at 80 bytes.
inline std::string Quoted(absl::string_view value) {
  constexpr size_t kLongest = 80;
  const bool is_cut = value.size() > kLongest;
  return absl::StrCat("\"", OnOneLine(value.substr(0, kLongest)), is_cut ? "…\"" : "\"");
}

// A secret file's path for a message, with a colon. What does not look like a path may be the secret itself, put where
// its path belongs.
inline std::string ShownPath(absl::string_view path) {
  const bool looks_like_path = absl::StartsWith(path, "/") || absl::StartsWith(path, ".");
  return looks_like_path ? absl::StrCat(OnOneLine(path), ": ") : "";
}

// Collects what is wrong with a configuration, one line each, so that a user mends everything in one go.
class Problems {
 public:
  // `field` is a path such as "accounts[1].name" or the name of a variable; `problem` and `remedy` begin in lower case.
  void Add(absl::string_view field, absl::string_view problem, absl::string_view remedy) {
    lines_.push_back(absl::StrCat(field, ": ", problem, ": ", remedy));
  }
  // The same, where `problem_and_remedy` comes from a status of this folder.
  void Add(absl::string_view field, const absl::Status& problem_and_remedy) {
    lines_.push_back(absl::StrCat(field, ": ", problem_and_remedy.message()));
  }

  bool empty() const { return lines_.empty(); }
  // OK without problems, else INVALID_ARGUMENT with a line for each.
  absl::Status ToStatus() const {
    return lines_.empty() ? absl::OkStatus() : absl::InvalidArgumentError(absl::StrJoin(lines_, "\n"));
  }

 private:
  std::vector<std::string> lines_;
};

}  // namespace aulm::gateway
