#pragma once

#include <cstddef>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "service/http/http_service.h"

namespace aulm::gateway {

// What became of a delivery that reached the webhook service.
enum class WebhookOutcome {
  kStored,
  kDuplicate,  // its delivery id was seen before
  kSignatureMissing,
  kSignatureMalformed,
  kSignatureWrong,
  kSignatureWrongRetry,  // the same, while the account asks aulm to try again
  kOverloaded,
  kDraining,
  kStoreFailed,  // full or failing
  kNoSecret,     // nothing to verify the delivery with
  kUnknownPath,
  kWrongMethod,
};
inline constexpr size_t kWebhookOutcomes = static_cast<size_t>(WebhookOutcome::kWrongMethod) + 1;

// The outcome as a word for answers, logs and metrics, such as "signature_wrong".
absl::string_view WebhookOutcomeName(WebhookOutcome outcome);

// The answer to aulm: a 2xx only for what is durable; 4xx, which aulm never tries again, only for what is the sender's
// fault; 429 with `retry_after` (in whole seconds, at least 1) and 503 for what is ours. The body is small JSON that
// says what is wrong and what to do, and never anything of the request.
ServedReply AnswerFor(WebhookOutcome outcome, absl::Duration retry_after);

}  // namespace aulm::gateway
