#include "service/rpc/send_validation.h"

#include <algorithm>
#include <optional>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "service/base/text.h"

namespace aulm::gateway {
namespace {

constexpr size_t kMaxBodyCharacters = 4096;     // aulm API, "send-text"
constexpr size_t kMaxCaptionCharacters = 1024;  // aulm API, "send-image"
constexpr size_t kMaxRequestIdBytes = 128;
constexpr size_t kMaxMessageIdCharacters = 256;
constexpr int kMaxLabels = 16;
constexpr size_t kMaxLabelKeyBytes = 64;
constexpr size_t kMaxLabelValueCharacters = 256;

bool IsLabelKey(absl::string_view key) {
  return !key.empty() && key.size() <= kMaxLabelKeyBytes && std::all_of(key.begin(), key.end(), [](unsigned char c) {
    return absl::ascii_islower(c) || absl::ascii_isdigit(c) || c == '_' || c == '.' || c == '-';
  });
}

// Enough of it to find it by; no whole number of a phone, since errors are logged, and nothing that needs quoting.
std::string ShownLabelKey(absl::string_view key) {
  constexpr size_t kShown = 24;
  std::string shown;
  size_t digits = 0;
  for (const char c : key.substr(0, kShown)) {
    if (absl::ascii_isdigit(static_cast<unsigned char>(c)) && ++digits > 4) break;
    shown.push_back(absl::ascii_isprint(static_cast<unsigned char>(c)) && c != '"' && c != '\\' ? c : '?');
  }
  if (shown.size() < key.size()) shown.append("...");
  return shown;
}

void CheckText(absl::string_view field, absl::string_view text, size_t least, size_t most, FieldViolations& bad) {
  const std::optional<size_t> characters = CountCodePoints(text);
  if (!characters.has_value()) {
    bad.Add(field, "must be valid UTF-8");
  } else if (*characters < least || *characters > most) {
    bad.Add(field, absl::StrCat("must have ", least, " to ", most, " characters, has ", *characters));
  }
}

void CheckRequestId(const std::string& id, bool may_be_empty, FieldViolations& bad) {
  const bool printable = std::all_of(id.begin(), id.end(), [](unsigned char c) { return c > 0x20 && c < 0x7f; });
  if (id.size() <= kMaxRequestIdBytes && printable && (may_be_empty || !id.empty())) return;
  bad.Add("request_id", absl::StrCat("must be 1 to ", kMaxRequestIdBytes, " printable ASCII characters without spaces",
                                     may_be_empty ? ", or empty to have one made" : ""));
}

// The fields that both kinds of send have.
template <typename Request>
void CheckCommon(const Request& request, FieldViolations& bad) {
  CheckSessionId(request.session_id(), bad);
  if (!IsE164(request.to())) {
    bad.Add("to", "must be a phone number in E.164 form, such as +966512345678: \"+\", then 7 to 15 digits");
  }
  CheckRequestId(request.request_id(), /*may_be_empty=*/true, bad);
  if (request.labels_size() > kMaxLabels) {
    bad.Add("labels", absl::StrCat("must have at most ", kMaxLabels, " entries, has ", request.labels_size()));
  }
  for (const auto& [key, value] : request.labels()) {
    const std::string field = absl::StrCat("labels[\"", ShownLabelKey(key), "\"]");
    if (!IsLabelKey(key)) {
      bad.Add(field, absl::StrCat("keys must be 1 to ", kMaxLabelKeyBytes, " characters of [a-z0-9_.-]"));
    }
    CheckText(field, value, 0, kMaxLabelValueCharacters, bad);
  }
}

}  // namespace

void CheckSessionId(const std::string& session_id, FieldViolations& bad) {
  if (!IsUuid(session_id)) bad.Add("session_id", "must be the session's UUID, as aulm's dashboard shows it");
}

void CheckGetMessage(const v1::GetMessageRequest& request, FieldViolations& bad) {
  switch (request.key_case()) {
    case v1::GetMessageRequest::kRequestId:
      return CheckRequestId(request.request_id(), /*may_be_empty=*/false, bad);
    case v1::GetMessageRequest::kMessage:
      if (!IsUuid(request.message().session_id())) {
        bad.Add("message.session_id", "must be the session's UUID, as aulm's dashboard shows it");
      }
      return CheckText("message.message_id", request.message().message_id(), 1, kMaxMessageIdCharacters, bad);
    case v1::GetMessageRequest::KEY_NOT_SET:
      bad.Add("key", "is missing: give request_id, or message with session_id and message_id");
  }
}

void CheckSendText(const v1::SendTextRequest& request, FieldViolations& bad) {
  CheckCommon(request, bad);
  CheckText("body", request.body(), 1, kMaxBodyCharacters, bad);
}

void CheckSendImage(const v1::SendImageRequest& request, FieldViolations& bad) {
  CheckCommon(request, bad);
  if (request.image_case() == v1::SendImageRequest::IMAGE_NOT_SET) {
    bad.Add("image", "is missing: give image_url or image_data");
  }
  CheckText("caption", request.caption(), 0, kMaxCaptionCharacters, bad);
}

}  // namespace aulm::gateway
