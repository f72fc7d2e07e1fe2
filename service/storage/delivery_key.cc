#include "service/storage/delivery_key.h"

#include <cstdint>

#include "absl/strings/str_cat.h"

namespace aulm::gateway {
namespace {

constexpr char kUuid = 'u';
constexpr char kText = 't';

int LowerHexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

// Appends the 16 bytes of a lower-case UUID; false when `text` is anything else, upper case too: that is another id.
bool AppendUuid(absl::string_view text, std::string& key) {
  if (text.size() != 36) return false;
  int high = -1;
  for (size_t i = 0; i < text.size(); ++i) {
    if (i == 8 || i == 13 || i == 18 || i == 23) {
      if (text[i] != '-') return false;
      continue;
    }
    const int digit = LowerHexDigit(text[i]);
    if (digit < 0) return false;
    if (high < 0) {
      high = digit;
    } else {
      key.push_back(static_cast<char>(high << 4 | digit));
      high = -1;
    }
  }
  return true;
}

}  // namespace

std::string DeliveryKey(absl::string_view account, absl::string_view delivery_id) {
  std::string key;
  if (delivery_id.empty()) return key;
  key.reserve(24 + account.size());
  key.push_back(kUuid);
  if (AppendUuid(delivery_id, key)) {
    key.append(account.data(), account.size());
    return key;
  }
  // The length goes before the id, so that the border between id and account is never in doubt.
  return absl::StrCat(absl::string_view(&kText, 1), delivery_id.size(), ":", delivery_id, account);
}

}  // namespace aulm::gateway
