#include "service/storage/state_key.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace aulm::gateway {
namespace {

bool IsBucketCharacter(char c) { return (c >= 'a' && c <= 'z') || c == '_'; }

bool IsKeyCharacter(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) || absl::string_view("_./=-").find(c) != std::string::npos;
}

}  // namespace

absl::Status CheckStateKey(absl::string_view bucket, absl::string_view key) {
  if (bucket.empty() || !std::all_of(bucket.begin(), bucket.end(), IsBucketCharacter)) {
    return absl::InvalidArgumentError(absl::StrCat("state: a bucket is [a-z_]+, not \"", bucket, "\""));
  }
  if (key.empty() || key.size() > kMaxStateKeyBytes || !std::all_of(key.begin(), key.end(), IsKeyCharacter)) {
    return absl::InvalidArgumentError(absl::StrCat("state: a key of bucket ", bucket, " must be 1 to ",
                                                   kMaxStateKeyBytes, " characters of [A-Za-z0-9_./=-]"));
  }
  return absl::OkStatus();
}

absl::Status CheckStateWrite(const StateWrite& write) {
  if (absl::Status status = CheckStateKey(write.bucket, write.key); !status.ok()) return status;
  if (write.value.has_value() && write.value->size() > kMaxStateValueBytes) {
    return absl::InvalidArgumentError(absl::StrCat("state: a value of bucket ", write.bucket, " has ",
                                                   write.value->size(), " bytes; the limit is ", kMaxStateValueBytes));
  }
  return absl::OkStatus();
}

}  // namespace aulm::gateway
