#include "tests/simulator/magic_number.h"

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"

namespace aulm::simulator {
namespace {

using Effect = MagicNumber::Effect;

// The last three digits are the HTTP status where there is one; the digit before them counts codes of one status.
constexpr MagicNumber kNumbers[] = {
    {"+999000000400", Effect::kError, "invalid_json"},
    {"+999000001400", Effect::kError, "invalid_request"},
    {"+999000000401", Effect::kError, "missing_authorization"},
    {"+999000001401", Effect::kError, "invalid_authorization"},
    {"+999000002401", Effect::kError, "invalid_api_key"},
    {"+999000003401", Effect::kError, "api_key_revoked"},
    {"+999000004401", Effect::kError, "api_key_expired"},
    {"+999000005401", Effect::kError, "account_deactivated"},
    {"+999000000403", Effect::kError, "session_disabled"},
    {"+999000001403", Effect::kError, "session_not_allowed"},
    {"+999000000404", Effect::kError, "session_not_found"},
    {"+999000000409", Effect::kError, "session_not_ready"},
    {"+999000000429", Effect::kError, "too_many_auth_failures"},
    {"+999000001429", Effect::kError, "daily_quota_exceeded"},
    {"+999000002429", Effect::kError, "trial_quota_exceeded"},
    {"+999000000502", Effect::kError, "messaging_service_unreachable"},
    {"+999000001502", Effect::kError, "messaging_service_error"},
    {"+999000000503", Effect::kError, "service_unavailable"},
    {"+999000000504", Effect::kError, "messaging_service_timeout"},
    {"+999000000001", Effect::kEcho, ""},
    {"+999000000002", Effect::kFails, ""},
    {"+999000000003", Effect::kPlayed, ""},
    {"+999000000004", Effect::kSilent, ""},
    {"+999000000005", Effect::kLoseAnswer, ""},
    {"+999000000006", Effect::kDrop, ""},
    {"+999000000007", Effect::kSlow, ""},
    {"+999000000008", Effect::kDoubtful, "messaging_service_timeout"},
    {"+999000000009", Effect::kDoubtful, "messaging_service_error"},
};

}  // namespace

std::span<const MagicNumber> MagicNumbers() { return kNumbers; }

const MagicNumber* FindMagicNumber(absl::string_view to) {
  if (!absl::StartsWith(to, "+999")) return nullptr;
  for (const MagicNumber& magic : kNumbers) {
    if (magic.number == to) return &magic;
  }
  return nullptr;
}

absl::string_view DescribeEffect(MagicNumber::Effect effect) {
  switch (effect) {
    case Effect::kError:
      return "";
    case Effect::kEcho:
      return "accepted; the recipient answers (also without --echo)";
    case Effect::kFails:
      return "accepted; then the status 'failed'";
    case Effect::kPlayed:
      return "accepted; the status 'played' comes last";
    case Effect::kSilent:
      return "accepted; no status follows";
    case Effect::kLoseAnswer:
      return "accepted; the connection closes without an answer";
    case Effect::kDrop:
      return "not accepted; the connection closes without an answer";
    case Effect::kSlow:
      return "accepted; answered after --slow-ms";
    case Effect::kDoubtful:
      return "accepted all the same: statuses follow";
  }
  return "";
}

}  // namespace aulm::simulator
