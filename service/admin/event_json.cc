#include "service/admin/event_json.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "aulm/gateway/v1/event.pb.h"
#include "google/protobuf/util/time_util.h"
#include "service/admin/json_text.h"
#include "service/base/text.h"

namespace aulm::gateway {
namespace {

namespace json = boost::json;
using google::protobuf::util::TimeUtil;

constexpr size_t kMostWord = 64;

// A word of aulm's: short, and whatever it holds, text.
json::string Word(absl::string_view text) { return JsonText(text.substr(0, kMostWord)); }

json::string Id(absl::string_view text) { return Word(IsPlainId(text) ? text : ""); }

json::string Masked(absl::string_view peer) { return JsonText(MaskPhone(peer)); }

absl::string_view KindOf(v1::EventType type) {
  switch (type) {
    case v1::EVENT_TYPE_INBOUND_MESSAGE:
      return "message";
    case v1::EVENT_TYPE_MESSAGE_STATUS:
      return "status";
    case v1::EVENT_TYPE_SESSION_STATE:
      return "session";
    default:
      return "unknown";
  }
}

json::object Describe(const v1::Event& event) {
  json::object described = {{"account", Word(event.account())},    {"session", Id(event.session_id())},
                            {"kind", Word(KindOf(event.type()))},  {"name", Word(event.event_name())},
                            {"delivery", Id(event.delivery_id())}, {"test", event.test()}};
  switch (event.payload_case()) {
    case v1::Event::kInboundMessage:
      described["peer"] = Masked(event.inbound_message().from());
      described["what"] = Word(event.inbound_message().message_type());
      break;
    case v1::Event::kMessageStatus:
      described["peer"] = Masked(event.message_status().to());
      described["what"] = Word(event.message_status().aulm_status());
      break;
    case v1::Event::kSessionState:
      described["what"] = Word(event.session_state().session().aulm_state());
      if (event.session_state().session().suspect()) described["suspect"] = true;
      break;
    default:
      break;
  }
  if (event.aulm_attempt() > 1) described["attempt"] = event.aulm_attempt();
  return described;
}

}  // namespace

std::string WriteEvent(const LoggedEvent& logged) {
  v1::Event event;
  event.ParseFromArray(logged.event.data(), static_cast<int>(logged.event.size()));
  json::object described = Describe(event);
  described["sequence"] = logged.sequence;
  described["at"] = absl::ToUnixMillis(logged.ingested);
  return json::serialize(described);
}

std::string WriteParkedEvents(const v1::ListParkedEventsResponse& parked) {
  json::array events;
  for (const v1::ParkedEvent& each : parked.parked_events()) {
    json::object described = Describe(each.event());
    if (each.event().has_ingested_time()) {
      described["at"] = TimeUtil::TimestampToMilliseconds(each.event().ingested_time());
    }
    described["attempts"] = each.attempts();
    described["reason"] = each.reason() == v1::PARK_REASON_ATTEMPTS ? "attempts" : "consumer";
    described["parked"] = TimeUtil::TimestampToMilliseconds(each.parked_time());
    described["cursor"] = absl::StrCat("cursor:", absl::WebSafeBase64Escape(each.event().cursor()));
    events.push_back(std::move(described));
  }
  return json::serialize(json::object{{"events", std::move(events)}, {"more", !parked.next_page_token().empty()}});
}

}  // namespace aulm::gateway
