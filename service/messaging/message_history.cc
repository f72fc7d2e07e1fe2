#include "service/messaging/message_history.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "aulm/gateway/state/v1/message_record.pb.h"
#include "google/protobuf/util/time_util.h"
#include "service/base/status_details.h"
#include "service/base/vocabulary.h"
#include "service/messaging/message_record.h"

namespace aulm::gateway {
namespace {

namespace stored = aulm::gateway::state::v1;
using google::protobuf::util::TimeUtil;

absl::Status NotFound(absl::string_view what) {
  return GatewayError(GatewayReason::kMessageNotFound,
                      absl::StrCat("no send of yours is known by this ", what,
                                   ": it was never made, was certainly not sent, or is older than what is kept"));
}

absl::Status StoreFailure(const absl::Status& cause) {
  return GatewayError(GatewayReason::kStoreUnavailable,
                      absl::StrCat("what is known of the send cannot be read: ", cause.message(), "; try again"));
}

v1::SendOutcome OutcomeOf(RequestLedger::Found::State state) {
  switch (state) {
    case RequestLedger::Found::State::kUnderWay:
      return v1::SEND_OUTCOME_IN_FLIGHT;
    case RequestLedger::Found::State::kSent:
      return v1::SEND_OUTCOME_SENT;
    case RequestLedger::Found::State::kUnknown:
      return v1::SEND_OUTCOME_UNKNOWN;
    case RequestLedger::Found::State::kAbsent:
      break;
  }
  return v1::SEND_OUTCOME_UNSPECIFIED;
}

MessageHistory::Known FromRequest(const RequestLedger::Reading& reading, absl::string_view request_id) {
  const stored::SendRecord& record = reading.record;
  MessageHistory::Known known;
  known.send.set_outcome(OutcomeOf(reading.state));
  known.send.set_request_id(std::string(request_id));
  *known.send.mutable_labels() = record.labels();
  if (record.settled_ms() != 0) {
    *known.send.mutable_settled_time() = TimeUtil::MillisecondsToTimestamp(record.settled_ms());
  }
  if (reading.state != RequestLedger::Found::State::kSent) return known;
  v1::SentMessage& message = *known.send.mutable_message();
  message = record.message();
  message.set_status(MessageStatusOf(record.aulm_status()));
  message.set_request_id(std::string(request_id));
  known.message_key = MessageKey(record.account(), record.session_id(), record.message().message_id());
  return known;
}

MessageHistory::Known FromMessage(const stored::MessageRecord& record, std::string message_key) {
  MessageHistory::Known known;
  known.send.set_outcome(v1::SEND_OUTCOME_SENT);
  *known.send.mutable_message() = record.message();
  known.send.set_request_id(record.message().request_id());
  *known.send.mutable_labels() = record.labels();
  *known.send.mutable_settled_time() = TimeUtil::MillisecondsToTimestamp(record.settled_ms());
  known.message_key = std::move(message_key);
  return known;
}

}  // namespace

void MessageHistory::FindRequest(absl::string_view caller, absl::string_view request_id, Done done) {
  ledger_.Read(caller, request_id,
               [this, id = std::string(request_id),
                done = std::move(done)](absl::StatusOr<std::optional<RequestLedger::Reading>> reading) mutable {
                 if (!reading.ok()) return std::move(done)(StoreFailure(reading.status()));
                 if (!reading->has_value()) return std::move(done)(NotFound("request_id"));
                 AddStatuses(FromRequest(**reading, id), std::move(done));
               });
}

void MessageHistory::FindMessage(absl::string_view caller, absl::string_view session_id, absl::string_view message_id,
                                 Done done) {
  const auto client = accounts_.ForSession(session_id);
  if (!client.ok()) return std::move(done)(client.status());
  std::string key = MessageKey((*client)->account(), session_id, message_id);
  store_.Get(kMessageBucket, key,
             [this, key, caller = std::string(caller),
              done = std::move(done)](absl::StatusOr<std::optional<StateEntry>> entry) mutable {
               if (!entry.ok()) return std::move(done)(StoreFailure(entry.status()));
               stored::MessageRecord record;
               if (!entry->has_value() || !record.ParseFromString((*entry)->value) || record.caller() != caller) {
                 return std::move(done)(NotFound("message_id"));
               }
               AddStatuses(FromMessage(record, std::move(key)), std::move(done));
             });
}

void MessageHistory::AddStatuses(Known known, Done done) {
  if (known.message_key.empty()) return std::move(done)(std::move(known));
  std::string key = known.message_key;
  statuses_.List(
      key, [known = std::move(known), done = std::move(done)](absl::StatusOr<std::vector<uint64_t>> sequences) mutable {
        if (!sequences.ok()) return std::move(done)(StoreFailure(sequences.status()));
        known.status_sequences = *std::move(sequences);
        std::move(done)(std::move(known));
      });
}

}  // namespace aulm::gateway
