#include "service/webhook/delivery_decoder.h"

#include <openssl/sha.h>

#include <cstdint>
#include <optional>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "aulm/gateway/v1/event.pb.h"
#include "aulm/gateway/v1/message.pb.h"
#include "service/base/text.h"
#include "service/base/traceparent.h"
#include "service/webhook/delivery_json.h"
#include "service/webhook/iso_time.h"

namespace aulm::gateway {
namespace {

// Of what the log's columns and indexes hold. aulm's own values are far shorter.
constexpr size_t kLongestKey = 512;

v1::MessageStatus StatusOf(absl::string_view word) {
  if (word == "sent") return v1::MESSAGE_STATUS_SENT;
  if (word == "delivered") return v1::MESSAGE_STATUS_DELIVERED;
  if (word == "read") return v1::MESSAGE_STATUS_READ;
  if (word == "played") return v1::MESSAGE_STATUS_PLAYED;
  if (word == "failed") return v1::MESSAGE_STATUS_FAILED;
  return v1::MESSAGE_STATUS_UNSPECIFIED;
}

// `value` itself, or what stands for it where it is too long for a key.
std::string KeyOf(absl::string_view value) {
  if (value.size() <= kLongestKey) return std::string(value);
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(value.data()), value.size(), digest);
  return absl::StrCat("sha256:",
                      absl::BytesToHexString(absl::string_view(reinterpret_cast<const char*>(digest), sizeof(digest))));
}

// One delivery on its way from JSON to v1::Event.
class Decoding {
 public:
  Decoding(absl::string_view account, const ServedRequest& request, const DeliveryJson& json)
      : request_(request), json_(json) {
    event_.set_account(std::string(account));
  }

  DecodedDelivery Run() {
    ReadName();
    ReadDeliveryId();
    ReadCommon();
    if (json_.is_object() && out_.event_name == "inbound_message") {
      ReadInboundMessage();
    } else if (json_.is_object() && out_.event_name == "message_status") {
      ReadMessageStatus();
    } else {
      ReadUnknown();
    }
    out_.event.account = event_.account();
    out_.event.session_id = KeyOf(event_.session_id());
    out_.event.type = event_.type();
    out_.event.test = event_.test();
    // The signed time tells that nobody plays an old delivery again, the attempt that aulm does not.
    if (event_.aulm_attempt() == 1) out_.event.not_before = occurred_;
    out_.event.event = event_.SerializeAsString();
    return std::move(out_);
  }

 private:
  // The header's text, whose bytes may be any.
  std::string HeaderText(absl::string_view name) const {
    const absl::string_view text = request_.Header(name);
    return CountCodePoints(text).has_value() ? std::string(text) : RepairUtf8(text);
  }

  void ReadName() {
    const std::string header = HeaderText("x-aulm-event");
    std::optional<std::string> name = json_.Text("event");
    if (name.has_value() && name->empty()) name.reset();
    out_.event_disagrees = name.has_value() && !header.empty() && *name != header;
    out_.event_name = name.has_value() ? *std::move(name) : header;
    event_.set_event_name(out_.event_name);
  }

  void ReadDeliveryId() {
    const absl::string_view header = request_.Header("x-aulm-delivery-id");
    std::optional<std::string> id = json_.Name("delivery_id");
    out_.delivery_id_disagrees = id.has_value() && !header.empty() && *id != header;
    // An id that had to be repaired may stand for several: better an event twice than one lost.
    bool exact = true;
    if (id.has_value()) {
      exact = !json_.repaired() || !absl::StrContains(*id, "\xEF\xBF\xBD");
    } else {
      id = HeaderText("x-aulm-delivery-id");
      exact = *id == header;
    }
    if (exact) out_.event.delivery_id = KeyOf(*id);
    event_.set_delivery_id(*std::move(id));
  }

  void ReadCommon() {
    event_.set_session_id(json_.Name("session_id").value_or(""));
    event_.set_test(json_.IsTrue("test"));
    uint32_t attempt = 0;
    if (absl::SimpleAtoi(request_.Header("x-aulm-attempt"), &attempt)) event_.set_aulm_attempt(attempt);
    if (const absl::string_view trace = request_.Header("traceparent"); IsTraceparent(trace)) {
      event_.set_traceparent(std::string(trace));
    }
  }

  void ReadTime(absl::string_view member) {
    const std::optional<std::string> text = json_.Text(member);
    if (!text.has_value()) return;
    const std::optional<absl::Time> time = ParseIsoTime(*text);
    if (!time.has_value()) return;
    occurred_ = *time;
    const int64_t seconds = absl::ToUnixSeconds(*time);
    event_.mutable_occurred_time()->set_seconds(seconds);
    event_.mutable_occurred_time()->set_nanos(
        static_cast<int32_t>(absl::ToInt64Nanoseconds(*time - absl::FromUnixSeconds(seconds))));
  }

  void ReadInboundMessage() {
    event_.set_type(v1::EVENT_TYPE_INBOUND_MESSAGE);
    v1::InboundMessage& message = *event_.mutable_inbound_message();
    message.set_from(json_.Name("from").value_or(""));
    message.set_message_id(json_.Name("message_id").value_or(""));
    message.set_message_type(json_.Text("type").value_or(""));
    message.set_body(json_.Text("body").value_or(""));
    ReadTime("received_at");
    out_.event.peer = KeyOf(message.from());
    out_.event.message_id = KeyOf(message.message_id());
  }

  void ReadMessageStatus() {
    event_.set_type(v1::EVENT_TYPE_MESSAGE_STATUS);
    v1::MessageStatusChange& change = *event_.mutable_message_status();
    change.set_message_id(json_.Name("message_id").value_or(""));
    change.set_to(json_.Name("to").value_or(""));
    change.set_aulm_status(json_.Text("status").value_or(""));
    change.set_status(StatusOf(change.aulm_status()));
    ReadTime("occurred_at");
    out_.event.peer = KeyOf(change.to());
    out_.event.message_id = KeyOf(change.message_id());
    out_.event.status = change.status();
  }

  // What can be found of an event that we do not know keeps it in its conversation.
  void ReadUnknown() {
    out_.unknown = true;
    event_.set_type(v1::EVENT_TYPE_UNKNOWN);
    event_.mutable_unknown();
    ReadTime("occurred_at");
    if (!event_.has_occurred_time()) ReadTime("received_at");
    std::optional<std::string> peer = json_.Name("from");
    if (!peer.has_value()) peer = json_.Name("to");
    out_.event.peer = KeyOf(peer.value_or(""));
    out_.event.message_id = KeyOf(json_.Name("message_id").value_or(""));
  }

  const ServedRequest& request_;
  const DeliveryJson& json_;
  v1::Event event_;
  absl::Time occurred_ = absl::InfinitePast();
  DecodedDelivery out_;
};

}  // namespace

DecodedDelivery DecodeDelivery(absl::string_view account, ServedRequest& request) {
  const DeliveryJson json(request.body);
  DecodedDelivery decoded = Decoding(account, request, json).Run();
  decoded.event.raw_body = std::move(request.body);
  return decoded;
}

}  // namespace aulm::gateway
