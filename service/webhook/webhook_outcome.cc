#include "service/webhook/webhook_outcome.h"

#include <algorithm>
#include <cstdint>

#include "absl/strings/str_cat.h"

namespace aulm::gateway {
namespace {

struct Row {
  absl::string_view name;
  int status;
  absl::string_view message;  // of an error
};

// The table, in the order of the enumeration.
constexpr Row kRows[kWebhookOutcomes] = {
    {"stored", 200, ""},
    {"duplicate", 200, ""},
    {"signature_missing", 401,
     "there is no x-aulm-signature header: send sha256= and the hexadecimal HMAC-SHA256 of the raw body"},
    {"signature_malformed", 401,
     "x-aulm-signature must come once, as sha256= and 64 hexadecimal digits of the raw body's HMAC-SHA256"},
    {"signature_wrong", 401,
     "the signature is of another secret: give the gateway the signing secret of this endpoint"},
    {"signature_wrong_retry", 429,
     "the signature is of another secret: give the gateway the signing secret of this endpoint; try again later"},
    {"overloaded", 429, "too many deliveries are waiting: try again later"},
    {"draining", 429, "this gateway is stopping: try again later"},
    {"store_failed", 503, "the delivery could not be stored: try again later"},
    {"no_secret", 503, "the gateway has no usable signing secret for this account: give it one"},
    {"unknown_path", 404, "deliveries go to /webhooks/aulm or /webhooks/aulm/{account}, for a configured account"},
    {"wrong_method", 405, "deliveries come by POST"},
};

const Row& RowOf(WebhookOutcome outcome) { return kRows[static_cast<size_t>(outcome)]; }

}  // namespace

absl::string_view WebhookOutcomeName(WebhookOutcome outcome) { return RowOf(outcome).name; }

ServedReply AnswerFor(WebhookOutcome outcome, absl::Duration retry_after) {
  const Row& row = RowOf(outcome);
  ServedReply reply;
  reply.status = row.status;
  reply.content_type = "application/json";
  if (row.status == 200) {
    reply.body = absl::StrCat(R"({"status":")", row.name, R"("})");
    return reply;
  }
  reply.body = absl::StrCat(R"({"error":{"code":")", row.name, R"(","message":")", row.message, R"("}})");
  if (row.status == 429) {
    const int64_t seconds = std::max<int64_t>(1, absl::ToInt64Seconds(absl::Ceil(retry_after, absl::Seconds(1))));
    reply.headers.emplace_back("retry-after", absl::StrCat(seconds));
  }
  if (row.status == 405) reply.headers.emplace_back("allow", "POST");
  return reply;
}

}  // namespace aulm::gateway
