// A webhook's raw body, whose signature held, into the decoder. The first line is taken for the headers
// "event|delivery id|attempt|traceparent", the rest is the body. Whatever comes: nothing is thrown, the body is kept
// byte for byte, and the event is one that every client can read (UTF-8 everywhere, a time in range, a payload that
// fits the type, keys within their bound).
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "aulm/gateway/v1/event.pb.h"
#include "service/base/text.h"
#include "service/webhook/delivery_decoder.h"

namespace {

namespace v1 = aulm::gateway::v1;

void Check(bool holds) {
  if (!holds) abort();
}

void CheckText(absl::string_view text) { Check(aulm::gateway::CountCodePoints(text).has_value()); }

void CheckKey(absl::string_view key, absl::string_view value) {
  Check(key.size() <= 512);
  if (value.size() <= 512) Check(key == value);
}

void CheckEvent(const v1::Event& event, const aulm::gateway::NewEvent& stored) {
  CheckText(event.delivery_id());
  CheckText(event.session_id());
  CheckText(event.event_name());
  CheckText(event.traceparent());
  CheckText(event.inbound_message().from());
  CheckText(event.inbound_message().message_id());
  CheckText(event.inbound_message().message_type());
  CheckText(event.inbound_message().body());
  CheckText(event.message_status().to());
  CheckText(event.message_status().message_id());
  CheckText(event.message_status().aulm_status());
  CheckKey(stored.session_id, event.session_id());
  if (!stored.delivery_id.empty()) CheckKey(stored.delivery_id, event.delivery_id());
  const auto& time = event.occurred_time();
  Check(time.seconds() >= -62135596800 && time.seconds() <= 253402300799 && time.nanos() >= 0 &&
        time.nanos() < 1'000'000'000);
  switch (event.type()) {
    case v1::EVENT_TYPE_INBOUND_MESSAGE:
      Check(event.has_inbound_message());
      CheckKey(stored.peer, event.inbound_message().from());
      break;
    case v1::EVENT_TYPE_MESSAGE_STATUS:
      Check(event.has_message_status());
      Check(stored.status == event.message_status().status());
      break;
    default:
      Check(event.type() == v1::EVENT_TYPE_UNKNOWN && event.has_unknown());
  }
  Check(stored.type == event.type() && stored.test == event.test() && stored.account == event.account());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t line = input.find('\n');
  const std::string header(input.substr(0, line));
  const std::string body(line == absl::string_view::npos ? absl::string_view() : input.substr(line + 1));
  std::vector<absl::string_view> fields = absl::StrSplit(header, absl::MaxSplits('|', 3));
  fields.resize(4);

  aulm::gateway::ServedRequest request;
  request.headers = {{"X-Aulm-Event", fields[0]},
                     {"X-Aulm-Delivery-Id", fields[1]},
                     {"X-Aulm-Attempt", fields[2]},
                     {"traceparent", fields[3]}};
  request.body = body;
  const aulm::gateway::DecodedDelivery decoded = aulm::gateway::DecodeDelivery("default", request);
  Check(decoded.event.raw_body == body);
  v1::Event event;
  Check(event.ParseFromString(decoded.event.event));
  CheckEvent(event, decoded.event);
  return 0;
}
