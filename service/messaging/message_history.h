#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "aulm/gateway/v1/messaging_service.pb.h"
#include "service/messaging/account_directory.h"
#include "service/messaging/request_ledger.h"
#include "service/messaging/status_index.h"
#include "service/storage/state_store.h"

namespace aulm::gateway {

// Finds out what became of a send, from what the request ledger and the status index keep. Thread-safe; never blocks;
// callbacks run once, on a thread of the store's or inside the call.
class MessageHistory {
 public:
  // What is known of a send.
  struct Known {
    v1::GetMessageResponse send;  // all but `statuses`
    std::string message_key;      // empty while there is no message
    // Where its statuses stand in the log, in order. Retention may have taken some.
    std::vector<uint64_t> status_sequences;
  };
  using Done = absl::AnyInvocable<void(absl::StatusOr<Known>) &&>;

  // All outlive it and every callback.
  MessageHistory(const AccountDirectory& accounts, const RequestLedger& ledger, StatusIndex& statuses,
                 StateStore& store)
      : accounts_(accounts), ledger_(ledger), statuses_(statuses), store_(store) {}

  // Errors: MESSAGE_NOT_FOUND, STORE_UNAVAILABLE.
  void FindRequest(absl::string_view caller, absl::string_view request_id, Done done);

  // Errors: as above, and INVALID_FIELD for a session that is no account's.
  void FindMessage(absl::string_view caller, absl::string_view session_id, absl::string_view message_id, Done done);

 private:
  void AddStatuses(Known known, Done done);

  const AccountDirectory& accounts_;
  const RequestLedger& ledger_;
  StatusIndex& statuses_;
  StateStore& store_;
};

}  // namespace aulm::gateway
