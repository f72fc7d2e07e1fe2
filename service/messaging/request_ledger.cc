#include "service/messaging/request_ledger.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "google/protobuf/util/time_util.h"
#include "service/base/log.h"
#include "service/base/status_details.h"
#include "service/messaging/message_record.h"

namespace aulm::gateway {
namespace {

namespace stored = aulm::gateway::state::v1;
using google::protobuf::util::TimeUtil;

constexpr char kBucket[] = "requests";
// Between the last moment at which a live owner settles a send and the moment at which others call it dead.
constexpr absl::Duration kLeaseSlack = absl::Seconds(10);
// A call without an end would make a claim without an end.
constexpr absl::Duration kLongestCall = absl::Minutes(10);

absl::Status StoreFailure(const absl::Status& cause) {
  absl::Status status = GatewayError(GatewayReason::kStoreUnavailable,
                                     absl::StrCat("the request ledger cannot be used: ", cause.message(),
                                                  ". Nothing was sent; try again with the same request id"));
  SetOutcome(status, Outcome::kNotSent);
  return status;
}

std::string KeyOf(absl::string_view caller, absl::string_view request_id) {
  // Base64url: a request id may hold any printable character, a key may not.
  return absl::StrCat(absl::WebSafeBase64Escape(caller), "/", absl::WebSafeBase64Escape(request_id));
}

std::string KeyOf(const Send& send) { return KeyOf(send.caller, send.request_id); }

void FillSent(const SendResult& result, stored::SendRecord& record) {
  record.set_state(stored::SEND_STATE_SENT);
  v1::SentMessage& message = *record.mutable_message();
  message.set_message_id(result.message_id);
  message.set_session_id(result.session_id);
  message.set_to(result.to);
  message.set_simulated(result.simulated);
  message.set_aulm_request_id(result.aulm_request_id);
  record.set_aulm_status(result.status);
  if (!result.rate_limit.has_value()) return;
  record.mutable_rate_limit()->set_limit(result.rate_limit->limit);
  record.mutable_rate_limit()->set_remaining(result.rate_limit->remaining);
  if (result.rate_limit->reset.has_value()) {
    *record.mutable_rate_limit()->mutable_reset_time() =
        TimeUtil::MillisecondsToTimestamp(absl::ToUnixMillis(*result.rate_limit->reset));
  }
}

SendAnswer ToAnswer(const stored::SendRecord& record) {
  SendAnswer answer;
  answer.replayed = true;
  answer.result.message_id = record.message().message_id();
  answer.result.session_id = record.message().session_id();
  answer.result.to = record.message().to();
  answer.result.status = record.aulm_status();
  answer.result.simulated = record.message().simulated();
  answer.result.aulm_request_id = record.message().aulm_request_id();
  if (record.has_rate_limit()) {
    RateLimit& limit = answer.result.rate_limit.emplace();
    limit.limit = record.rate_limit().limit();
    limit.remaining = record.rate_limit().remaining();
    if (record.rate_limit().has_reset_time()) {
      limit.reset = absl::FromUnixMillis(TimeUtil::TimestampToMilliseconds(record.rate_limit().reset_time()));
    }
  }
  return answer;
}

}  // namespace

RequestLedger::RequestLedger(Options options, StateStore& store, Clock& clock, prometheus::Registry& registry)
    : options_(std::move(options)),
      store_(store),
      clock_(clock),
      metrics_(registry),
      unsettled_(UnsettledClaims::Create(store, clock, metrics_.unsettled)) {}

stored::SendRecord RequestLedger::NewRecord(const Send& send, absl::string_view account) const {
  stored::SendRecord record;
  record.set_claimed_ms(absl::ToUnixMillis(clock_.Now()));
  record.set_account(std::string(account));
  record.set_session_id(send.session_id);
  record.set_to(send.to);
  record.mutable_labels()->insert(send.labels.begin(), send.labels.end());
  record.set_traceparent(send.traceparent);
  return record;
}

void RequestLedger::Fill(const absl::StatusOr<SendResult>& result, stored::SendRecord& record) const {
  record.clear_owner();
  record.clear_lease_until_ms();
  record.set_settled_ms(absl::ToUnixMillis(clock_.Now()));
  if (result.ok()) {
    FillSent(*result, record);
  } else {
    record.set_state(stored::SEND_STATE_UNKNOWN);
    record.set_unknown_reason(ReasonOf(result.status()));
  }
}

void RequestLedger::AddMessage(const Send& send, absl::string_view account, const absl::StatusOr<SendResult>& result,
                               std::vector<StateWrite>& writes) const {
  if (!result.ok()) return;
  std::string key = MessageKey(account, send.session_id, result->message_id);
  if (key.empty()) return;
  const absl::Time now = clock_.Now();
  writes.push_back({kMessageBucket, std::move(key), ToMessageRecord(send, *result, now).SerializeAsString(),
                    std::nullopt, now + options_.message_retention});
}

RequestLedger::Found::State RequestLedger::StateOf(const stored::SendRecord& record) const {
  if (record.state() == stored::SEND_STATE_SENT) return Found::State::kSent;
  const bool lease_over = absl::FromUnixMillis(record.lease_until_ms()) <= clock_.Now();
  const bool owner_dead = options_.sole_owner && record.owner() != options_.owner;
  const bool under_way = record.state() == stored::SEND_STATE_CLAIMED && !lease_over && !owner_dead;
  return under_way ? Found::State::kUnderWay : Found::State::kUnknown;
}

void RequestLedger::Read(absl::string_view caller, absl::string_view request_id,
                         absl::AnyInvocable<void(absl::StatusOr<std::optional<Reading>>) &&> done) const {
  store_.Get(kBucket, KeyOf(caller, request_id),
             [this, done = std::move(done)](absl::StatusOr<std::optional<StateEntry>> entry) mutable {
               if (!entry.ok()) return std::move(done)(entry.status());
               if (!entry->has_value()) return std::move(done)(std::optional<Reading>());
               Reading reading;
               if (!reading.record.ParseFromString((*entry)->value)) {
                 return std::move(done)(absl::DataLossError("a record cannot be read"));
               }
               reading.state = StateOf(reading.record);
               std::move(done)(std::optional<Reading>(std::move(reading)));
             });
}

void RequestLedger::LookUp(const Send& send, absl::string_view content_digest,
                           absl::AnyInvocable<void(absl::StatusOr<Found>) &&> done) const {
  store_.Get(kBucket, KeyOf(send),
             [this, digest = std::string(content_digest),
              done = std::move(done)](absl::StatusOr<std::optional<StateEntry>> entry) mutable {
               if (!entry.ok()) return std::move(done)(StoreFailure(entry.status()));
               Found found;
               if (!entry->has_value()) return std::move(done)(found);
               stored::SendRecord record;
               if (!record.ParseFromString((*entry)->value)) {
                 return std::move(done)(StoreFailure(absl::DataLossError("a record cannot be read")));
               }
               if (record.content_digest() != digest) {
                 metrics_.reused.Increment();
                 absl::Status reused =
                     GatewayError(GatewayReason::kRequestIdReused,
                                  "this request_id was used for another message; give each message an id of its own");
                 SetOutcome(reused, Outcome::kNotSent);
                 return std::move(done)(std::move(reused));
               }
               found.state = StateOf(record);
               CountRepeat(found.state);
               if (found.state == Found::State::kSent) found.answer = ToAnswer(record);
               found.unknown_reason = record.unknown_reason();
               std::move(done)(std::move(found));
             });
}

void RequestLedger::Take(const Send& send, absl::string_view content_digest, absl::string_view account,
                         absl::AnyInvocable<void(absl::StatusOr<std::optional<Claim>>) &&> done) const {
  const absl::Time now = clock_.Now();
  Claim claim;
  claim.key = KeyOf(send);
  claim.record = NewRecord(send, account);
  claim.record.set_state(stored::SEND_STATE_CLAIMED);
  claim.record.set_content_digest(std::string(content_digest));
  claim.record.set_owner(options_.owner);
  const absl::Time ends = std::min(send.answer_by, now + kLongestCall) + options_.settle_limit + kLeaseSlack;
  claim.record.set_lease_until_ms(absl::ToUnixMillis(ends));
  std::string value = claim.record.SerializeAsString();
  std::vector<StateWrite> writes;
  writes.push_back({kBucket, claim.key, value, /*expected_revision=*/0, now + options_.retention});
  store_.Write(std::move(writes), StateStore::Durability::kDurable,
               [this, claim = std::move(claim), value = std::move(value),
                done = std::move(done)](std::vector<absl::StatusOr<uint64_t>> results) mutable {
                 if (results.front().ok()) {
                   claim.revision = *results.front();
                   metrics_.claims.Increment();
                   return std::move(done)(std::optional<Claim>(std::move(claim)));
                 }
                 if (absl::IsAborted(results.front().status())) return std::move(done)(std::optional<Claim>());
                 GiveBack(std::move(claim.key), std::move(value),
                          [failure = StoreFailure(results.front().status()), done = std::move(done)]() mutable {
                            std::move(done)(std::move(failure));
                          });
               });
}

void RequestLedger::GiveBack(std::string key, std::string value, absl::AnyInvocable<void() &&> done) const {
  store_.Get(kBucket, key,
             [this, key, value = std::move(value),
              done = std::move(done)](absl::StatusOr<std::optional<StateEntry>> entry) mutable {
               // Nothing but this very claim: an earlier one of ours may be of a send that was made.
               const bool is_there = entry.ok() && entry->has_value() && (*entry)->value == value;
               if (!is_there) return std::move(done)();
               std::vector<StateWrite> writes;
               writes.push_back({kBucket, key, std::nullopt, (*entry)->revision});
               store_.Write(std::move(writes), StateStore::Durability::kDurable,
                            [done = std::move(done)](const std::vector<absl::StatusOr<uint64_t>>&) mutable {
                              std::move(done)();
                            });
             });
}

void RequestLedger::Settle(const Send& send, Claim claim, const absl::StatusOr<SendResult>& result,
                           absl::AnyInvocable<void() &&> done) const {
  const int64_t lease_until_ms = claim.record.lease_until_ms();
  Fill(result, claim.record);
  (result.ok() ? metrics_.sent : metrics_.unknown).Increment();
  std::vector<StateWrite> writes;
  writes.push_back(
      {kBucket, claim.key, claim.record.SerializeAsString(), claim.revision, clock_.Now() + options_.retention});
  AddMessage(send, claim.record.account(), result, writes);
  Conclude(std::move(writes), lease_until_ms, std::move(done));
}

void RequestLedger::Release(Claim claim, absl::AnyInvocable<void() &&> done) const {
  metrics_.released.Increment();
  std::vector<StateWrite> writes;
  writes.push_back({kBucket, claim.key, std::nullopt, claim.revision});
  Conclude(std::move(writes), claim.record.lease_until_ms(), std::move(done));
}

void RequestLedger::Conclude(std::vector<StateWrite> writes, int64_t lease_until_ms,
                             absl::AnyInvocable<void() &&> done) const {
  std::vector<StateWrite> again = writes;
  store_.Write(std::move(writes), StateStore::Durability::kDurable,
               [unsettled = unsettled_, again = std::move(again), lease_ends = absl::FromUnixMillis(lease_until_ms),
                done = std::move(done)](const std::vector<absl::StatusOr<uint64_t>>& results) mutable {
                 for (const absl::StatusOr<uint64_t>& written : results) {
                   if (written.ok()) continue;
                   LogLine(LogLevel::kError, "send_not_settled").Field("message", written.status().message());
                 }
                 std::vector<StateWrite> failed = WritesToRepeat(std::move(again), results);
                 if (!failed.empty()) unsettled->Add(std::move(failed), lease_ends);
                 std::move(done)();
               });
}

void RequestLedger::CountRepeat(Found::State state) const {
  switch (state) {
    case Found::State::kAbsent:
      return;
    case Found::State::kUnderWay:
      return metrics_.under_way.Increment();
    case Found::State::kSent:
      return metrics_.replayed.Increment();
    case Found::State::kUnknown:
      return metrics_.unknown_again.Increment();
  }
}

void RequestLedger::RecordGenerated(const Send& send, absl::string_view account,
                                    const absl::StatusOr<SendResult>& result) const {
  stored::SendRecord record = NewRecord(send, account);
  Fill(result, record);
  (result.ok() ? metrics_.sent : metrics_.unknown).Increment();
  std::vector<StateWrite> writes;
  writes.push_back({kBucket, KeyOf(send), record.SerializeAsString(), std::nullopt, clock_.Now() + options_.retention});
  AddMessage(send, account, result, writes);
  store_.Write(std::move(writes), StateStore::Durability::kRelaxed, nullptr);
}

}  // namespace aulm::gateway
