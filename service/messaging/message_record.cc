#include "service/messaging/message_record.h"

#include <openssl/sha.h>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "aulm/gateway/v1/event.pb.h"
#include "service/base/text.h"
#include "service/base/traceparent.h"
#include "service/base/vocabulary.h"

namespace aulm::gateway {
namespace {

namespace stored = aulm::gateway::state::v1;

// aulm's ids are far shorter; what is longer stands for itself by its digest.
constexpr size_t kLongestId = 256;

std::string Digest(absl::string_view text) {
  std::string digest(SHA256_DIGEST_LENGTH, '\0');
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(),
         reinterpret_cast<unsigned char*>(digest.data()));
  return digest;
}

}  // namespace

std::string MessageKey(absl::string_view account, absl::string_view session_id, absl::string_view message_id) {
  if (message_id.empty() || !IsUuid(session_id)) return "";
  return absl::StrCat(
      account, "/", absl::AsciiStrToLower(session_id), "/",
      absl::WebSafeBase64Escape(message_id.size() <= kLongestId ? std::string(message_id) : Digest(message_id)));
}

stored::MessageRecord ToMessageRecord(const Send& send, const SendResult& result, absl::Time settled) {
  stored::MessageRecord record;
  record.set_caller(send.caller);
  v1::SentMessage& message = *record.mutable_message();
  message.set_message_id(RepairUtf8(result.message_id));
  message.set_session_id(RepairUtf8(result.session_id));
  message.set_to(RepairUtf8(result.to));
  message.set_status(MessageStatusOf(result.status));
  message.set_simulated(result.simulated);
  message.set_request_id(send.request_id);
  message.set_aulm_request_id(RepairUtf8(result.aulm_request_id));
  record.set_aulm_status(RepairUtf8(result.status));
  record.mutable_labels()->insert(send.labels.begin(), send.labels.end());
  if (IsTraceparent(send.traceparent)) record.set_traceparent(send.traceparent);
  record.set_settled_ms(absl::ToUnixMillis(settled));
  return record;
}

std::string EncodeMarks(const Send& send) {
  if (send.labels.empty() && send.traceparent.empty()) return "";
  v1::Event marks;
  marks.mutable_labels()->insert(send.labels.begin(), send.labels.end());
  if (IsTraceparent(send.traceparent)) marks.set_traceparent(send.traceparent);
  return marks.SerializeAsString();
}

std::string EncodeMarks(const stored::MessageRecord& record) {
  if (record.labels().empty() && record.traceparent().empty()) return "";
  v1::Event marks;
  *marks.mutable_labels() = record.labels();
  marks.set_traceparent(record.traceparent());
  return marks.SerializeAsString();
}

}  // namespace aulm::gateway
