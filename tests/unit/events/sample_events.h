#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/synchronization/notification.h"
#include "aulm/gateway/v1/event_service.pb.h"
#include "grpcpp/impl/codegen/proto_utils.h"
#include "grpcpp/support/byte_buffer.h"
#include "gtest/gtest.h"
#include "service/events/frame.h"
#include "service/storage/event_log.h"

// Events as the webhook side appends them, and frames taken apart, for the tests of events and of the EventService.
namespace aulm::gateway {

// A session id that differs for every `number`.
inline std::string SampleSession(int number) { return absl::StrFormat("10000000-0000-4000-8000-%012d", number); }

// An inbound text in session number `session`, with delivery id "d<number>".
inline NewEvent InboundEvent(int number, int session = 1) {
  NewEvent event;
  event.account = "default";
  event.session_id = SampleSession(session);
  event.peer = absl::StrCat("+1555000", 1000 + number % 100);
  event.message_id = absl::StrCat("m", number);
  event.type = v1::EVENT_TYPE_INBOUND_MESSAGE;
  event.delivery_id = absl::StrCat("d", number);
  event.raw_body = absl::StrCat("{\"number\":", number, "}");
  v1::Event encoded;
  encoded.set_delivery_id(event.delivery_id);
  encoded.set_account(event.account);
  encoded.set_session_id(event.session_id);
  encoded.set_type(v1::EVENT_TYPE_INBOUND_MESSAGE);
  encoded.set_event_name("inbound_message");
  auto& message = *encoded.mutable_inbound_message();
  message.set_from(event.peer);
  message.set_message_id(event.message_id);
  message.set_message_type("text");
  message.set_body(absl::StrCat("text ", number));
  event.event = encoded.SerializeAsString();
  return event;
}

// A delivered status, with delivery id "d<number>".
inline NewEvent StatusEvent(int number, int session = 1, v1::MessageStatus status = v1::MESSAGE_STATUS_DELIVERED) {
  NewEvent event = InboundEvent(number, session);
  event.type = v1::EVENT_TYPE_MESSAGE_STATUS;
  event.status = status;
  v1::Event encoded;
  encoded.set_delivery_id(event.delivery_id);
  encoded.set_account(event.account);
  encoded.set_session_id(event.session_id);
  encoded.set_type(v1::EVENT_TYPE_MESSAGE_STATUS);
  encoded.set_event_name("message_status");
  auto& change = *encoded.mutable_message_status();
  change.set_message_id(event.message_id);
  change.set_to(event.peer);
  change.set_status(status);
  event.event = encoded.SerializeAsString();
  return event;
}

// Appends and waits until it is stored; the sequence.
inline uint64_t AppendNow(EventLog& log, NewEvent event) {
  absl::Notification stored;
  uint64_t sequence = 0;
  log.Append(std::move(event), [&](absl::StatusOr<Appended> appended) {
    EXPECT_TRUE(appended.ok()) << appended.status();
    if (appended.ok()) sequence = appended->sequence;
    stored.Notify();
  });
  stored.WaitForNotification();
  return sequence;
}

// Inbound events numbered from `first` to `last`.
inline void AppendInbound(EventLog& log, int first, int last, int session = 1) {
  for (int number = first; number <= last; ++number) AppendNow(log, InboundEvent(number, session));
}

inline v1::SubscribeEventsResponse DecodeFrame(const Frame& frame) {
  grpc::ByteBuffer bytes = frame.bytes;
  EXPECT_EQ(bytes.Length(), frame.size_bytes);
  v1::SubscribeEventsResponse response;
  EXPECT_TRUE(grpc::SerializationTraits<v1::SubscribeEventsResponse>::Deserialize(&bytes, &response).ok());
  return response;
}

inline void AddDeliveryIds(const v1::EventBatch& batch, std::vector<std::string>& ids) {
  for (const v1::Delivery& delivery : batch.deliveries()) ids.push_back(delivery.event().delivery_id());
}

// {"d<first>", …, "d<last>"}.
inline std::vector<std::string> DeliveryIds(int first, int last) {
  std::vector<std::string> ids;
  for (int number = first; number <= last; ++number) ids.push_back(absl::StrCat("d", number));
  return ids;
}

}  // namespace aulm::gateway
