#include "service/events/subscriptions/subscription_peers.h"

#include <utility>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "service/base/status_details.h"

namespace aulm::gateway {
namespace {

absl::StatusOr<state::v1::SubscriptionAnswer> FromBytes(const absl::StatusOr<std::string>& bytes) {
  if (absl::IsNotFound(bytes.status())) return bytes.status();
  state::v1::SubscriptionAnswer answer;
  if (!bytes.ok() || !answer.ParseFromString(*bytes)) {
    const absl::string_view why = bytes.ok() ? "its answer cannot be read" : bytes.status().message();
    return GatewayError(GatewayReason::kStoreUnavailable,
                        absl::StrCat("the replica that has the deliveries cannot be asked: ", why));
  }
  if (answer.code() == 0) return answer;
  absl::Status status(static_cast<absl::StatusCode>(answer.code()), answer.message());
  for (const auto& [url, payload] : answer.payloads()) status.SetPayload(url, absl::Cord(payload));
  return status;
}

}  // namespace

void AskPeer(PeerChannel& peers, const std::string& replica, const state::v1::SubscriptionQuestion& question,
             absl::Duration timeout, AnswerCallback done) {
  peers.Ask(replica, question.SerializeAsString(), timeout,
            [done = std::move(done)](const absl::StatusOr<std::string>& bytes) mutable {
              std::move(done)(FromBytes(bytes));
            });
}

absl::StatusOr<state::v1::SubscriptionAnswer> AskPeerNow(PeerChannel& peers, const std::string& replica,
                                                         const state::v1::SubscriptionQuestion& question,
                                                         absl::Duration timeout) {
  absl::StatusOr<state::v1::SubscriptionAnswer> answer = absl::UnavailableError("not asked");
  absl::Notification asked;
  AskPeer(peers, replica, question, timeout, [&](absl::StatusOr<state::v1::SubscriptionAnswer> given) {
    answer = std::move(given);
    asked.Notify();
  });
  asked.WaitForNotification();
  return answer;
}

void PeerReply::Fail(const absl::Status& error) const {
  state::v1::SubscriptionAnswer answer;
  answer.set_code(static_cast<int>(error.code()));
  answer.set_message(std::string(error.message()));
  error.ForEachPayload([&](absl::string_view url, const absl::Cord& payload) {
    (*answer.mutable_payloads())[std::string(url)] = std::string(payload);
  });
  Give(answer);
}

void PeerReply::Settled(const absl::StatusOr<v1::AcknowledgeEventsResponse>& response) const {
  if (!response.ok()) return Fail(response.status());
  state::v1::SubscriptionAnswer answer;
  *answer.mutable_acknowledged() = *response;
  Give(answer);
}

void PeerReply::Replayed(const absl::StatusOr<uint64_t>& events) const {
  if (!events.ok()) return Fail(events.status());
  state::v1::SubscriptionAnswer answer;
  answer.set_replayed_events(*events);
  Give(answer);
}

}  // namespace aulm::gateway
