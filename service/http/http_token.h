#pragma once

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/string_view.h"

namespace aulm::gateway {

// True for the bytes that methods and field names are made of (RFC 9110: tchar).
inline bool IsHttpTokenByte(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) || absl::StrContains("!#$%&'*+-.^_`|~", c);
}

// True for one or more of them.
inline bool IsHttpToken(absl::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), IsHttpTokenByte);
}

}  // namespace aulm::gateway
