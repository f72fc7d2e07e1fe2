#include "service/aulm/image_source.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "service/aulm/public_url.h"
#include "service/base/text.h"

namespace aulm::gateway {
namespace {

constexpr size_t kMaxUrlCharacters = 2048;
constexpr absl::string_view kUrlField = "image_url";
constexpr absl::string_view kBytesField = "image_data.data";
constexpr absl::string_view kTypeField = "image_data.mime_type";

// "image/" and a token of RFC 9110, so that it cannot end the data URI before its time.
bool IsImageType(absl::string_view type) {
  if (!absl::ConsumePrefix(&type, "image/") || type.empty() || type.size() > 64) return false;
  return std::all_of(type.begin(), type.end(), [](unsigned char c) {
    return absl::ascii_isalnum(c) || c == '.' || c == '+' || c == '-' || c == '_';
  });
}

std::string SizeLimit(size_t max_image_bytes) {
  return absl::StrCat("must be at most ", max_image_bytes, " bytes before base64");
}

// data:image/png;base64,AAAA
std::optional<ImageSource> FromDataUri(absl::string_view uri, size_t max_image_bytes, FieldViolations& bad) {
  const size_t comma = uri.find(',');
  const absl::string_view head = uri.substr(0, comma == absl::string_view::npos ? 0 : comma);
  absl::string_view type = head;
  if (comma == absl::string_view::npos || !absl::EndsWithIgnoreCase(head, ";base64")) {
    bad.Add(kUrlField, "a data URI must have the form data:image/<type>;base64,<data>");
    return std::nullopt;
  }
  type.remove_prefix(5);  // "data:"
  ImageSource source;
  source.mime_type = absl::AsciiStrToLower(type.substr(0, type.find(';')));
  if (!IsImageType(source.mime_type)) {
    bad.Add(kUrlField, "a data URI must have a type image/<type>");
    return std::nullopt;
  }
  const absl::string_view data = uri.substr(comma + 1);
  // Before decoding, so that nothing is spent on what is too large.
  if (data.size() / 4 * 3 > max_image_bytes + 3) {
    bad.Add(kUrlField, SizeLimit(max_image_bytes));
    return std::nullopt;
  }
  if (!absl::Base64Unescape(data, &source.bytes) || source.bytes.empty()) {
    bad.Add(kUrlField, "the data URI's base64 is empty or cannot be read");
    return std::nullopt;
  }
  if (source.bytes.size() > max_image_bytes) {
    bad.Add(kUrlField, SizeLimit(max_image_bytes));
    return std::nullopt;
  }
  return source;
}

}  // namespace

absl::string_view RecogniseImage(absl::string_view bytes) {
  if (absl::StartsWith(bytes, "\xFF\xD8\xFF")) return "image/jpeg";
  if (absl::StartsWith(bytes, "\x89PNG\r\n\x1A\n")) return "image/png";
  if (absl::StartsWith(bytes, "GIF87a") || absl::StartsWith(bytes, "GIF89a")) return "image/gif";
  if (bytes.size() >= 12 && absl::StartsWith(bytes, "RIFF") && bytes.substr(8, 4) == "WEBP") return "image/webp";
  return "";
}

std::optional<ImageSource> ImageFromUrl(absl::string_view url, size_t max_image_bytes, FieldViolations& bad) {
  if (absl::StartsWithIgnoreCase(url, "data:")) return FromDataUri(url, max_image_bytes, bad);
  const std::optional<size_t> characters = CountCodePoints(url.substr(0, 4 * kMaxUrlCharacters + 4));
  if (url.size() > 4 * kMaxUrlCharacters || characters.value_or(0) > kMaxUrlCharacters) {
    bad.Add(kUrlField, absl::StrCat("must be at most ", kMaxUrlCharacters, " characters"));
    return std::nullopt;
  }
  if (const absl::Status status = CheckPublicHttpsUrl(url); !status.ok()) {
    bad.Add(kUrlField, status.message());
    return std::nullopt;
  }
  return ImageSource{std::string(url), "", ""};
}

std::optional<ImageSource> ImageFromBytes(std::string bytes, absl::string_view mime_type, size_t max_image_bytes,
                                          FieldViolations& bad) {
  if (bytes.empty()) {
    bad.Add(kBytesField, "must not be empty");
    return std::nullopt;
  }
  if (bytes.size() > max_image_bytes) {
    bad.Add(kBytesField, SizeLimit(max_image_bytes));
    return std::nullopt;
  }
  ImageSource source;
  source.mime_type = mime_type.empty() ? std::string(RecogniseImage(bytes)) : absl::AsciiStrToLower(mime_type);
  if (source.mime_type.empty()) {
    bad.Add(kTypeField, "must be given: the data is not recognised as JPEG, PNG, WebP or GIF");
    return std::nullopt;
  }
  if (!IsImageType(source.mime_type)) {
    bad.Add(kTypeField, "must be image/<type>, such as image/png");
    return std::nullopt;
  }
  source.bytes = std::move(bytes);
  return source;
}

}  // namespace aulm::gateway
