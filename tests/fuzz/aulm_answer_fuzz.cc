// An answer of aulm's, in the place of a send's and of a read's: the first lines are its status and the headers that
// mean something, the rest is the body. Whatever comes: what is read is UTF-8, an error is never OK, says whether the
// message can have been sent, has one code for that doubt, and stays within its 2 KB.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "absl/strings/cord.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "service/aulm/aulm_error.h"
#include "service/aulm/aulm_json.h"
#include "service/base/status_details.h"
#include "service/base/text.h"

namespace {

using aulm::gateway::AulmCall;
using aulm::gateway::AulmEndpoint;
using aulm::gateway::HttpResponse;
using aulm::gateway::Outcome;

constexpr absl::string_view kSession = "4c3d2b1a-0000-4000-8000-000000000001";

void Check(bool holds) {
  if (!holds) abort();
}

void CheckText(absl::string_view text) { Check(aulm::gateway::CountCodePoints(text).has_value()); }

void CheckError(const absl::Status& status, bool is_send) {
  Check(!status.ok());
  CheckText(status.message());
  size_t bytes = status.message().size();
  status.ForEachPayload([&](absl::string_view url, const absl::Cord& detail) { bytes += url.size() + detail.size(); });
  Check(bytes <= aulm::gateway::kMaxDetailBytes);
  const auto details = aulm::gateway::DetailsOf(status);
  Check(details.has_value() && !details->reason.empty() && details->reason.size() <= 63);
  const auto outcome = aulm::gateway::OutcomeOf(status);
  Check(outcome.has_value() == is_send);
  // The doubt has one code, and that code means nothing else.
  Check((outcome == Outcome::kUnknown) == (status.code() == absl::StatusCode::kUnknown));
  const auto delay = aulm::gateway::RetryDelayOf(status);
  Check(!delay.has_value() || *delay >= absl::ZeroDuration());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view input(reinterpret_cast<const char*>(data), size);
  // status \n retry-after \n x-ratelimit-reset \n date \n x-request-id \n body
  std::vector<absl::string_view> parts = absl::StrSplit(input, absl::MaxSplits('\n', 5));
  parts.resize(6);
  HttpResponse response;
  if (!absl::SimpleAtoi(parts[0], &response.status)) response.status = 400;
  response.headers = {{"retry-after", std::string(parts[1])}, {"x-ratelimit-limit", "100"},
                      {"x-ratelimit-remaining", "0"},         {"x-ratelimit-reset", std::string(parts[2])},
                      {"date", std::string(parts[3])},        {"x-request-id", std::string(parts[4])}};
  response.body = std::string(parts[5]);

  const absl::Time now = absl::FromUnixSeconds(1'780'000'000);
  for (const AulmEndpoint endpoint : {AulmEndpoint::kSendText, AulmEndpoint::kSessionStatus}) {
    const AulmCall call{endpoint, "default", kSession};
    CheckError(aulm::gateway::ErrorOfAnswer(response, call, now), call.is_send());
    CheckError(aulm::gateway::UnreadableAnswer(response, call), call.is_send());
  }
  if (const auto sent = aulm::gateway::ReadSendResult(response, kSession, "+966512345678")) {
    Check(!sent->message_id.empty() && sent->message_id.size() <= 512 * 3);
    for (const std::string* text :
         {&sent->message_id, &sent->session_id, &sent->to, &sent->status, &sent->aulm_request_id}) {
      CheckText(*text);
    }
  }
  if (const auto status = aulm::gateway::ReadSessionStatus(response, kSession)) {
    Check(!status->status.empty());
    CheckText(status->status);
    CheckText(status->session_id);
  }
  return 0;
}
