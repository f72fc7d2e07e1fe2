#include "service/rpc/get_message_call.h"

#include <utility>

#include "aulm/gateway/v1/event.pb.h"
#include "google/protobuf/util/time_util.h"
#include "service/base/status_details.h"
#include "service/events/cursor.h"
#include "service/messaging/message_record.h"

namespace aulm::gateway {
namespace {

// The event at `sequence`; an empty page when retention has taken it.
absl::StatusOr<EventPage> ReadOne(EventLog& log, uint64_t sequence) {
  ReadLimits limits;
  limits.max_events = 1;
  absl::StatusOr<EventPage> page = log.Read(sequence - 1, limits);
  if (page.ok() && !page->events.empty() && page->events.front().sequence != sequence) page->events.clear();
  return page;
}

void AddStatus(const LoggedEvent& logged, uint64_t epoch, v1::GetMessageResponse& response) {
  v1::Event event;
  event.ParseFromArray(logged.event.data(), static_cast<int>(logged.event.size()));
  v1::MessageStatusRecord& status = *response.add_statuses();
  status.set_status(event.message_status().status());
  status.set_aulm_status(event.message_status().aulm_status());
  if (event.has_occurred_time()) *status.mutable_occurred_time() = event.occurred_time();
  *status.mutable_ingested_time() =
      google::protobuf::util::TimeUtil::MillisecondsToTimestamp(absl::ToUnixMillis(logged.ingested));
  status.set_cursor(EncodeCursor({epoch, logged.sequence, Fingerprint(logged)}));
}

}  // namespace

GetMessageCall::GetMessageCall(const CallEnvironment& environment, const AccountDirectory& accounts,
                               const v1::GetMessageRequest& request, grpc::ByteBuffer& response,
                               grpc::CallbackServerContext& context, MethodMetrics& metrics)
    : UnaryCallOf(response, environment, context, metrics), accounts_(accounts), request_(request) {}

void GetMessageCall::Begin(MessageHistory& history, EventHub& hub) {
  auto found = [this, &hub](absl::StatusOr<MessageHistory::Known> known) { OnFound(std::move(known), hub); };
  if (!request_.has_message()) return history.FindRequest(caller().name(), request_.request_id(), std::move(found));
  const std::string& session_id = request_.message().session_id();
  if (absl::Status status = caller().MayUseSession(session_id, accounts_); !status.ok()) return End(status);
  history.FindMessage(caller().name(), session_id, request_.message().message_id(), std::move(found));
}

void GetMessageCall::OnFound(absl::StatusOr<MessageHistory::Known> known, EventHub& hub) {
  if (!known.ok()) return End(known.status());
  // The caller's own send, made when it was allowed to.
  const std::string& session_id = known->send.message().session_id();
  if (!session_id.empty()) {
    if (absl::Status status = caller().MayUseSession(session_id, accounts_); !status.ok()) return End(status);
  }
  hub.Post([this, known = *std::move(known), &hub]() mutable { ReadStatuses(std::move(known), hub.log()); });
}

void GetMessageCall::ReadStatuses(MessageHistory::Known known, EventLog& log) {
  response() = std::move(known.send);
  const uint64_t epoch = log.Info().epoch;
  for (const uint64_t sequence : known.status_sequences) {
    const absl::StatusOr<EventPage> page = ReadOne(log, sequence);
    if (!page.ok()) {
      return End(GatewayError(GatewayReason::kStoreUnavailable, "the message's statuses cannot be read; try again"));
    }
    for (const LoggedEvent& event : page->events) {
      const EventAttributes& about = event.attributes;
      // A log that was set back may have another event there.
      if (MessageKey(about.account, about.session_id, about.message_id) != known.message_key) continue;
      AddStatus(event, epoch, response());
    }
  }
  End(absl::OkStatus());
}

void GetMessageCall::Describe(LogLine& line) const {
  if (request_.has_message()) {
    line.Field("session_id", request_.message().session_id()).Field("message_id", request_.message().message_id());
  } else {
    line.Field("request_id", request_.request_id());
  }
}

}  // namespace aulm::gateway
