#include "service/webhook/delivery_json.h"

#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/parse_options.hpp>
#include <cstddef>
#include <cstdint>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "service/base/text.h"

namespace aulm::gateway {
namespace {

constexpr size_t kDeepest = 32;

// The number behind "\uXXXX" at the front of `text`; -1 when there is none.
int EscapedUnit(absl::string_view text) {
  if (text.size() < 6 || text[0] != '\\' || text[1] != 'u') return -1;
  int unit = 0;
  for (const char c : text.substr(2, 4)) {
    if (!absl::ascii_isxdigit(static_cast<unsigned char>(c))) return -1;
    unit = unit * 16 + (absl::ascii_isdigit(static_cast<unsigned char>(c)) ? c - '0' : (c | 0x20) - 'a' + 10);
  }
  return unit;
}

// `json` with every escaped surrogate that has no partner replaced by \ufffd. Senders that cut a text in the middle of
// an emoji write such halves, and a strict parser would refuse the whole body for it.
std::string RepairSurrogates(absl::string_view json) {
  std::string repaired;
  repaired.reserve(json.size());
  while (!json.empty()) {
    const size_t backslash = json.find('\\');
    absl::StrAppend(&repaired, json.substr(0, backslash));
    if (backslash == absl::string_view::npos) break;
    json.remove_prefix(backslash);
    const int unit = EscapedUnit(json);
    const int next = unit < 0 ? -1 : EscapedUnit(json.substr(6));
    size_t taken = unit < 0 ? 2 : 6;
    const bool high = unit >= 0xD800 && unit <= 0xDBFF;
    const bool low = unit >= 0xDC00 && unit <= 0xDFFF;
    if (high && next >= 0xDC00 && next <= 0xDFFF) taken = 12;
    if (taken == 6 && (high || low)) {
      repaired.append("\\ufffd");
    } else {
      absl::StrAppend(&repaired, json.substr(0, taken));
    }
    json.remove_prefix(std::min(taken, json.size()));
  }
  return repaired;
}

boost::json::string_view Borrow(absl::string_view text) { return {text.data(), text.size()}; }

}  // namespace

DeliveryJson::DeliveryJson(absl::string_view body)
    : memory_(first_memory_, sizeof(first_memory_)),
      // With the memory that parsing uses: otherwise taking the result over would copy it.
      value_(boost::json::storage_ptr(&memory_)) {
  absl::ConsumePrefix(&body, "\xEF\xBB\xBF");  // a byte order mark is allowed to be there and means nothing
  boost::json::parse_options options;
  options.max_depth = kDeepest;
  boost::json::error_code error;
  value_ = boost::json::parse(Borrow(body), error, &memory_, options);
  if (error) {
    repaired_ = true;
    options.allow_invalid_utf8 = true;
    invalid_utf8_ = true;
    const bool escapes = absl::StrContains(body, "\\u");
    const std::string repaired = escapes ? RepairSurrogates(body) : std::string();
    error = {};
    value_ = boost::json::parse(Borrow(escapes ? absl::string_view(repaired) : body), error, &memory_, options);
  }
  if (!error) object_ = value_.if_object();
}

const boost::json::value* DeliveryJson::Find(absl::string_view member) const {
  return object_ == nullptr ? nullptr : object_->if_contains(Borrow(member));
}

std::string DeliveryJson::Repaired(absl::string_view text) const {
  return invalid_utf8_ ? RepairUtf8(text) : std::string(text);
}

std::optional<std::string> DeliveryJson::Text(absl::string_view member) const {
  const boost::json::value* const value = Find(member);
  const boost::json::string* const text = value == nullptr ? nullptr : value->if_string();
  if (text == nullptr) return std::nullopt;
  return Repaired(absl::string_view(text->data(), text->size()));
}

std::optional<std::string> DeliveryJson::Name(absl::string_view member) const {
  const boost::json::value* const value = Find(member);
  if (value == nullptr) return std::nullopt;
  if (const int64_t* const number = value->if_int64()) return absl::StrCat(*number);
  if (const uint64_t* const number = value->if_uint64()) return absl::StrCat(*number);
  std::optional<std::string> text = Text(member);
  if (text.has_value() && text->empty()) return std::nullopt;
  return text;
}

bool DeliveryJson::IsTrue(absl::string_view member) const {
  const boost::json::value* const value = Find(member);
  const bool* const truth = value == nullptr ? nullptr : value->if_bool();
  return truth != nullptr && *truth;
}

}  // namespace aulm::gateway
