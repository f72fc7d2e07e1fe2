#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "aulm/gateway/state/v1/send_record.pb.h"
#include "prometheus/registry.h"
#include "service/base/clock.h"
#include "service/messaging/ledger_metrics.h"
#include "service/messaging/send.h"
#include "service/messaging/unsettled_claims.h"
#include "service/storage/state_store.h"

namespace aulm::gateway {

// The durable memory of sends by their request ids, so that a send that is repeated with the same id is made once; and
// of the messages that came of them, by aulm's ids, so that events find the send that they are about. A record is
// claimed before the send is written to aulm, and settled when its outcome is known; a claim whose owner died is an
// unknown outcome. A send that was certainly not made leaves no record. Thread-safe; never blocks; callbacks run on a
// thread of the store's.
class RequestLedger {
 public:
  struct Options {
    std::string owner;                           // this replica, new with each start
    bool sole_owner = true;                      // no other replica shares the store: any other owner is a dead one
    absl::Duration retention = absl::Hours(24);  // of records under their request ids
    absl::Duration message_retention = absl::Hours(24 * 30);  // of records under aulm's message ids
    absl::Duration settle_limit = absl::Minutes(1);           // how long a send may go on once it is written
  };

  // What is known of a request id.
  struct Found {
    enum class State { kAbsent, kUnderWay, kSent, kUnknown };
    State state = State::kAbsent;
    SendAnswer answer;           // kSent, with replayed set
    std::string unknown_reason;  // kUnknown: why the first caller was told so; empty when its owner died
  };

  // A record, and what it means now.
  struct Reading {
    aulm::gateway::state::v1::SendRecord record;
    Found::State state = Found::State::kAbsent;
  };

  // A claim that its owner must settle or release.
  struct Claim {
    std::string key;
    uint64_t revision = 0;
    aulm::gateway::state::v1::SendRecord record;
  };

  // `store`, `clock` and `registry` outlive the ledger and every callback.
  RequestLedger(Options options, StateStore& store, Clock& clock, prometheus::Registry& registry);

  // What the ledger has under the send's caller and request id. Errors, all of them before anything was sent:
  // REQUEST_ID_REUSED when the id stands for another message; STORE_UNAVAILABLE.
  void LookUp(const Send& send, absl::string_view content_digest,
              absl::AnyInvocable<void(absl::StatusOr<Found>) &&> done) const;

  // What the ledger has under a caller's request id, whatever its content; nullopt when it has nothing. Error: the
  // store's.
  void Read(absl::string_view caller, absl::string_view request_id,
            absl::AnyInvocable<void(absl::StatusOr<std::optional<Reading>>) &&> done) const;

  // Durably takes the id for this send. nullopt: somebody else has taken it meanwhile; look it up again.
  // Error: STORE_UNAVAILABLE, nothing was sent; what a store across a network may have taken all the same is given
  // back first, as far as that store can be reached.
  void Take(const Send& send, absl::string_view content_digest, absl::string_view account,
            absl::AnyInvocable<void(absl::StatusOr<std::optional<Claim>>) &&> done) const;

  // The outcome is known, or known to be unknown (an error with that outcome). `done` comes when it is durable, or
  // could not be made so: then it is tried again until the claim's lease is over; from then on the claim reads as
  // unknown.
  void Settle(const Send& send, Claim claim, const absl::StatusOr<SendResult>& result,
              absl::AnyInvocable<void() &&> done) const;

  // The send was certainly not made: the id is free again. `done` as in Settle.
  void Release(Claim claim, absl::AnyInvocable<void() &&> done) const;

  // Records a send whose id the gateway made, without waiting for the disk: nobody can repeat an id that nobody had
  // before the answer.
  void RecordGenerated(const Send& send, absl::string_view account, const absl::StatusOr<SendResult>& result) const;

  // Counts a call that waits for another of this replica's with the same id.
  void CountFollower() const { metrics_.under_way.Increment(); }

 private:
  // A claim whose owner died, or whose lease is over, is an unknown outcome.
  Found::State StateOf(const aulm::gateway::state::v1::SendRecord& record) const;
  aulm::gateway::state::v1::SendRecord NewRecord(const Send& send, absl::string_view account) const;
  // A settled record: sent, or unknown with the reason that the caller was told.
  void Fill(const absl::StatusOr<SendResult>& result, aulm::gateway::state::v1::SendRecord& record) const;
  // Adds the message's own record, where there is a message.
  void AddMessage(const Send& send, absl::string_view account, const absl::StatusOr<SendResult>& result,
                  std::vector<StateWrite>& writes) const;

  // Deletes the claim if the store has it, though its answer said no.
  void GiveBack(std::string key, std::string value, absl::AnyInvocable<void() &&> done) const;
  void CountRepeat(Found::State state) const;
  // Writes the end of a claim.
  void Conclude(std::vector<StateWrite> writes, int64_t lease_until_ms, absl::AnyInvocable<void() &&> done) const;

  const Options options_;
  StateStore& store_;
  const Clock& clock_;
  const LedgerMetrics metrics_;
  const std::shared_ptr<UnsettledClaims> unsettled_;
};

}  // namespace aulm::gateway
