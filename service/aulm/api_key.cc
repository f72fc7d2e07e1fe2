#include "service/aulm/api_key.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"

namespace aulm::gateway {
namespace {

constexpr absl::string_view kLivePrefix = "alm_sk_live_";
constexpr absl::string_view kTestPrefix = "alm_sk_test_";

}  // namespace

bool IsLiveKey(absl::string_view key) { return absl::StartsWith(key, kLivePrefix); }

absl::Status CheckApiKey(absl::string_view key) {
  if (key.empty()) return absl::InvalidArgumentError("the aulm API key is empty");
  if (!IsLiveKey(key) && !absl::StartsWith(key, kTestPrefix)) {
    return absl::InvalidArgumentError(
        "the aulm API key must begin with alm_sk_live_ or alm_sk_test_, as aulm's dashboard shows it");
  }
  if (key.size() == kLivePrefix.size()) {
    return absl::InvalidArgumentError("the aulm API key ends after its prefix: paste it whole");
  }
  if (!std::all_of(key.begin(), key.end(), [](unsigned char c) { return absl::ascii_isgraph(c); })) {
    return absl::InvalidArgumentError("the aulm API key holds a space, a line break or a character that is not ASCII");
  }
  return absl::OkStatus();
}

}  // namespace aulm::gateway
