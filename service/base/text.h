#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace aulm::gateway {

// True when every byte is below 0x80.
bool IsAscii(absl::string_view text);

// Unicode code points in `text`; nullopt when it is not valid UTF-8 (overlong forms, surrogates and values above
// U+10FFFF are not valid).
std::optional<size_t> CountCodePoints(absl::string_view text);

// `text` with every maximal ill-formed part replaced by U+FFFD; unchanged when it is valid UTF-8.
std::string RepairUtf8(absl::string_view text);

// A phone number for logs and pages: the first four and the last two characters, the rest as one "…". Anything of
// eight characters or fewer becomes "…" alone.
std::string MaskPhone(absl::string_view phone);

// True for 1 to 128 characters of [A-Za-z0-9._:-]: an id that may go into a log, whoever wrote it. No E.164 number is
// one.
bool IsPlainId(absl::string_view text);

// True for a UUID in the usual form of 36 characters, in either case.
bool IsUuid(absl::string_view text);

// True for an E.164 number: "+", then 7 to 15 digits of which the first is not 0.
bool IsE164(absl::string_view text);

}  // namespace aulm::gateway
