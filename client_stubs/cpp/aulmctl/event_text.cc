#include "client_stubs/cpp/aulmctl/event_text.h"

#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "client_stubs/cpp/aulmctl/terminal_text.h"

namespace aulm::gateway::ctl {
namespace {

constexpr size_t kShortSession = 8;

// What the line's last columns say.
struct Shown {
  const char* type;
  std::string peer;
  std::string text;
};

Shown Show(const v1::Event& event) {
  switch (event.payload_case()) {
    case v1::Event::kInboundMessage: {
      const v1::InboundMessage& message = event.inbound_message();
      if (message.message_type() == "text") return {"message", message.from(), message.body()};
      return {"message", message.from(), absl::StrCat("[", message.message_type(), "] ", message.body())};
    }
    case v1::Event::kMessageStatus: {
      const v1::MessageStatusChange& change = event.message_status();
      return {"status", change.to(), absl::StrFormat("%-9s  %s", change.aulm_status(), change.message_id())};
    }
    case v1::Event::kSessionState:
      return {"session", "-", event.session_state().session().aulm_state()};
    default:
      return {"unknown", "-", event.event_name()};
  }
}

}  // namespace

std::string EventText(const v1::Event& event) {
  const Shown shown = Show(event);
  const std::string session = event.session_id().empty() ? "-" : event.session_id().substr(0, kShortSession);
  std::string line = absl::StrFormat("%s  %-7s  %-8s  %-14s  %s", TimeText(event.ingested_time()), shown.type,
                                     OneLine(session), OneLine(shown.peer), OneLine(shown.text));
  if (!event.labels().empty()) {
    const std::map<std::string, std::string> sorted(event.labels().begin(), event.labels().end());
    absl::StrAppend(&line, "  {", OneLine(absl::StrJoin(sorted, " ", absl::PairFormatter("="))), "}");
  }
  if (event.test()) absl::StrAppend(&line, "  [test]");
  if (!event.raw_body().empty()) absl::StrAppend(&line, "\n    ", OneLine(event.raw_body()));
  return line;
}

}  // namespace aulm::gateway::ctl
