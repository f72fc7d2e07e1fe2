#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "aulm/gateway/state/v1/message_record.pb.h"
#include "service/messaging/send.h"
#include "service/storage/state_store.h"

// Messages under aulm's ids in the state store: how they are named there, and what is kept of one.
namespace aulm::gateway {

// The bucket of MessageRecords.
inline constexpr char kMessageBucket[] = "messages";

// The key of a message: aulm's ids are unique within a session, whose id is matched whatever the case of its letters.
// Empty when there can be no such message: a session that is no UUID, or no message id. At most 450 bytes.
std::string MessageKey(absl::string_view account, absl::string_view session_id, absl::string_view message_id);

// What is kept of a send that aulm took.
aulm::gateway::state::v1::MessageRecord ToMessageRecord(const Send& send, const SendResult& result, absl::Time settled);

// What every event about the message carries: the fields `labels` and `traceparent` of a v1::Event, encoded. Appended
// to another encoded event it sets them there. Empty when there are none.
std::string EncodeMarks(const aulm::gateway::state::v1::MessageRecord& record);
// The same of the record that this send gets.
std::string EncodeMarks(const Send& send);

}  // namespace aulm::gateway
