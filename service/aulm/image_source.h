#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "service/base/status_details.h"

namespace aulm::gateway {

// An image that has been checked and can be given to aulm: a public https URL, or bytes with their type.
struct ImageSource {
  std::string url;        // empty when the bytes are given
  std::string mime_type;  // "image/png" …; empty with a URL
  std::string bytes;      // raw, not base64

  bool is_url() const { return !url.empty(); }
};

// aulm says "about 5 MB" and decides; this counts raw bytes.
inline constexpr size_t kDefaultMaxImageBytes = 5 * 1024 * 1024;

// The image that a caller named by URL. A "data:image/…;base64," URI is decoded and taken as bytes. Any other URL must
// be https, at most 2048 characters, and name a public host (CheckPublicHttpsUrl). nullopt: `bad` has got a violation
// of `image_url`.
std::optional<ImageSource> ImageFromUrl(absl::string_view url, size_t max_image_bytes, FieldViolations& bad);

// The image that a caller gave by value. An empty `mime_type` is recognised from the first bytes (JPEG, PNG, WebP,
// GIF); one that is given must be "image/…", and aulm decides whether it takes it. nullopt: `bad` has got a violation
// of `image_data.data` or `image_data.mime_type`.
std::optional<ImageSource> ImageFromBytes(std::string bytes, absl::string_view mime_type, size_t max_image_bytes,
                                          FieldViolations& bad);

// "image/jpeg", "image/png", "image/webp" or "image/gif" by the first bytes; empty for anything else.
absl::string_view RecogniseImage(absl::string_view bytes);

}  // namespace aulm::gateway
