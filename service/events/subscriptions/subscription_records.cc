#include "service/events/subscriptions/subscription_records.h"

#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "google/protobuf/util/message_differencer.h"
#include "service/base/log.h"
#include "service/base/status_details.h"
#include "service/events/log_position.h"
#include "service/events/subscriptions/blocking_state.h"
#include "service/events/subscriptions/owned_name.h"
#include "service/events/subscriptions/parked_records.h"
#include "service/events/subscriptions/share_records.h"

namespace aulm::gateway {
namespace {

constexpr absl::Duration kRetryWhenFull = absl::Seconds(5);

absl::Status StoreFailed(const absl::Status& cause) {
  return GatewayError(GatewayReason::kStoreUnavailable,
                      absl::StrCat("subscriptions cannot be read or stored: ", cause.message()));
}

absl::StatusOr<state::v1::SubscriptionRecord> EqualOrTaken(const NewSubscription& wanted,
                                                           const state::v1::SubscriptionRecord& there) {
  if (google::protobuf::util::MessageDifferencer::Equals(there.specification(), wanted.specification)) return there;
  const std::string& name = wanted.specification.name();
  absl::Status status =
      GatewayError(GatewayReason::kSubscriptionExists,
                   absl::StrCat("subscription ", NameOf(name),
                                " exists with another specification: delete it first, or choose a name"));
  SetResourceInfo(status, "subscription", NameOf(name), "exists");
  return status;
}

// Another replica may make one at the same moment: then there is one more than the limit says.
absl::Status CheckRoom(const NewSubscription& subscription, size_t max, StateStore& state) {
  const auto check = [&](const std::string& prefix, size_t most, absl::string_view message) {
    const absl::StatusOr<std::vector<StateEntry>> there = ListNow(state, kSubscriptions, prefix, "", most);
    if (!there.ok()) return StoreFailed(there.status());
    if (there->size() < most) return absl::OkStatus();
    absl::Status full = GatewayError(GatewayReason::kOverloaded, message, {{"caller", subscription.caller}});
    SetRetryDelay(full, kRetryWhenFull);
    return full;
  };
  if (const size_t most = subscription.most_of_caller; most > 0) {
    absl::Status status =
        check(OwnedName(subscription.caller, ""), most,
              absl::StrCat("the caller ", subscription.caller, " has ", most, " subscriptions, as many as it may ",
                           "(callers[].max_subscriptions): delete one of them first"));
    if (!status.ok()) return status;
  }
  return check("", max,
               absl::StrCat("the gateway has ", max, " subscriptions, as many as it may ",
                            "(limits.subscriptions): delete one first"));
}

}  // namespace

absl::Status SubscriptionNotFound(const std::string& name) {
  absl::Status status = GatewayError(GatewayReason::kSubscriptionNotFound,
                                     absl::StrCat("there is no subscription ", NameOf(name), ": create it first"));
  SetResourceInfo(status, "subscription", NameOf(name), "not found");
  return status;
}

absl::StatusOr<state::v1::SubscriptionRecord> ReadSubscription(StateStore& state, const std::string& name) {
  const absl::StatusOr<std::optional<StateEntry>> stored = GetNow(state, kSubscriptions, name);
  if (!stored.ok()) return StoreFailed(stored.status());
  if (!stored->has_value()) return SubscriptionNotFound(name);
  state::v1::SubscriptionRecord record;
  if (!record.ParseFromString((*stored)->value)) {
    return StoreFailed(absl::DataLossError(absl::StrCat("subscription ", name, " cannot be decoded")));
  }
  return record;
}

absl::StatusOr<SubscriptionNames> ListSubscriptionNames(StateStore& state, const std::optional<std::string>& owner,
                                                        const v1::ListSubscriptionsRequest& request) {
  const size_t most = request.page_size() == 0 ? 100 : request.page_size();
  const std::string prefix = owner.has_value() ? OwnedName(*owner, "") : "";
  std::string after = request.page_token().empty() ? "" : absl::StrCat(prefix, request.page_token());
  SubscriptionNames page;
  while (true) {
    const absl::StatusOr<std::vector<StateEntry>> entries = ListNow(state, kSubscriptions, prefix, after, most + 1);
    if (!entries.ok()) return StoreFailed(entries.status());
    for (const StateEntry& entry : *entries) {
      after = entry.key;
      // Those of whoever has no name stand among the others' keys.
      if (owner.has_value() && OwnerOf(entry.key) != *owner) continue;
      if (page.names.size() == most) {
        page.next_page_token = page.names.back().substr(prefix.size());
        return page;
      }
      page.names.push_back(entry.key);
    }
    if (entries->size() <= most) return page;
  }
}

absl::StatusOr<state::v1::SubscriptionRecord> CreateSubscription(const NewSubscription& subscription, size_t max,
                                                                 StateStore& state, EventLog& log, Clock& clock,
                                                                 Random& random) {
  const std::string& name = subscription.specification.name();
  const absl::StatusOr<state::v1::SubscriptionRecord> there = ReadSubscription(state, name);
  if (there.ok()) return EqualOrTaken(subscription, *there);
  if (!HasReason(there.status(), GatewayReason::kSubscriptionNotFound)) return there.status();
  if (absl::Status status = CheckRoom(subscription, max, state); !status.ok()) return status;
  const absl::StatusOr<Position> start = ResolveStart(log, subscription.start);
  if (!start.ok()) return start.status();

  state::v1::SubscriptionRecord record;
  *record.mutable_specification() = subscription.specification;
  record.set_id(random.Uuid());
  record.set_create_ms(absl::ToUnixMillis(clock.Now()));
  record.set_caller(subscription.caller);
  // The name last: a subscription that nobody knows how far it is would be of no use.
  const std::string key = random.Uuid();
  ShareContent content;
  content.record.set_floor(start->sequence);
  content.record.set_fingerprint(start->fingerprint);
  content.part = SharedLedger::Part(start->sequence);
  if (absl::Status status = WriteShare(state, record.id(), key, content); !status.ok()) return StoreFailed(status);
  const Assignment assignment = Assignment::Vacant(key, log.Info().epoch, /*generation=*/0, /*last_epoch=*/0);
  const absl::StatusOr<uint64_t> assigned = WriteAssignment(state, record.id(), assignment, 0);
  if (!assigned.ok()) return StoreFailed(assigned.status());
  const auto named = WriteNow(state, {{kSubscriptions, name, record.SerializeAsString(), 0}});
  if (!named[0].ok()) {
    // It may be made all the same: then what it refers to must be there, and else takes some room.
    if (!absl::IsAborted(named[0].status())) return StoreFailed(named[0].status());
    WriteNow(state, {{kAssignments, record.id(), std::nullopt, std::nullopt}});
    DeleteShare(state, record.id(), key);
    const absl::StatusOr<state::v1::SubscriptionRecord> faster = ReadSubscription(state, name);
    return faster.ok() ? EqualOrTaken(subscription, *faster) : faster.status();
  }
  LogLine(LogLevel::kInfo, "subscription_created")
      .Field("subscription", name)
      .Field("mode", v1::SubscriptionMode_Name(subscription.specification.mode()))
      .Field("after_sequence", start->sequence);
  return record;
}

absl::Status DeleteSubscription(StateStore& state, const std::string& name) {
  const absl::StatusOr<state::v1::SubscriptionRecord> record = ReadSubscription(state, name);
  if (!record.ok()) return record.status();
  const auto deleted = WriteNow(state, {{kSubscriptions, name, std::nullopt, std::nullopt}});
  if (!deleted[0].ok()) return StoreFailed(deleted[0].status());
  LogLine(LogLevel::kInfo, "subscription_deleted").Field("subscription", name);
  // The rest means nothing without the record: what fails here only takes room. Without an assignment whoever has a
  // part of it finds out.
  WriteNow(state, {{kAssignments, record->id(), std::nullopt, std::nullopt}});
  const std::string prefix = absl::StrCat(record->id(), "/");
  for (const char* const bucket : {kShares, kAcks, kParkedEvents}) {
    if (absl::Status status = DeleteAllNow(state, bucket, prefix); !status.ok()) {
      LogLine(LogLevel::kWarn, "subscription_leftovers").Field("subscription", name).Field("bucket", bucket);
    }
  }
  return absl::OkStatus();
}

}  // namespace aulm::gateway
