#include "service/admin/form.h"

#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_split.h"

namespace aulm::gateway {
namespace {

std::optional<std::string> Decode(absl::string_view text) {
  std::string decoded;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+') {
      decoded += ' ';
    } else if (text[i] != '%') {
      decoded += text[i];
    } else if (i + 2 < text.size() && absl::ascii_isxdigit(text[i + 1]) && absl::ascii_isxdigit(text[i + 2])) {
      decoded += absl::HexStringToBytes(text.substr(i + 1, 2));
      i += 2;
    } else {
      return std::nullopt;
    }
  }
  return decoded;
}

}  // namespace

absl::StatusOr<Form> ParseForm(absl::string_view text) {
  Form form;
  for (const absl::string_view part : absl::StrSplit(text, '&', absl::SkipEmpty())) {
    const std::pair<absl::string_view, absl::string_view> pair = absl::StrSplit(part, absl::MaxSplits('=', 1));
    std::optional<std::string> name = Decode(pair.first);
    std::optional<std::string> value = Decode(pair.second);
    if (!name.has_value() || !value.has_value()) {
      return absl::InvalidArgumentError("the form is not percent-encoded as forms are");
    }
    form.emplace_back(*std::move(name), *std::move(value));
  }
  return form;
}

absl::string_view ValueOf(const Form& form, absl::string_view name) {
  for (const auto& [each, value] : form) {
    if (each == name) return value;
  }
  return {};
}

}  // namespace aulm::gateway
