#include "service/storage/jetstream/state_subject.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace aulm::gateway {
namespace {

constexpr absl::string_view kEmptyPart = "~";

}  // namespace

std::string StateSubjectOfKey(absl::string_view key) {
  std::vector<std::string> tokens = absl::StrSplit(key, '/');
  for (std::string& token : tokens) {
    if (token.empty()) token = std::string(kEmptyPart);
    std::replace(token.begin(), token.end(), '.', '/');
  }
  return absl::StrJoin(tokens, ".");
}

std::string KeyOfStateSubject(absl::string_view tokens) {
  std::vector<std::string> parts = absl::StrSplit(tokens, '.');
  for (std::string& part : parts) {
    if (part == kEmptyPart) part.clear();
    std::replace(part.begin(), part.end(), '/', '.');
  }
  return absl::StrJoin(parts, "/");
}

std::string StateWildcardOfPrefix(absl::string_view prefix) {
  const size_t slash = prefix.rfind('/');
  if (slash == absl::string_view::npos) return ">";
  return absl::StrCat(StateSubjectOfKey(prefix.substr(0, slash)), ".>");
}

}  // namespace aulm::gateway
