#include "client_stubs/cpp/aulmctl/event_flags.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"

namespace aulm::gateway::ctl {
namespace {

constexpr absl::string_view kCursorPrefix = "cursor:";

struct Word {
  const char* word;
  int value;
};

// aulm's own words, as events show them.
constexpr Word kTypes[] = {{"inbound_message", v1::EVENT_TYPE_INBOUND_MESSAGE},
                           {"message_status", v1::EVENT_TYPE_MESSAGE_STATUS},
                           {"session_state", v1::EVENT_TYPE_SESSION_STATE},
                           {"unknown", v1::EVENT_TYPE_UNKNOWN}};
constexpr Word kStatuses[] = {{"sent", v1::MESSAGE_STATUS_SENT},
                              {"delivered", v1::MESSAGE_STATUS_DELIVERED},
                              {"read", v1::MESSAGE_STATUS_READ},
                              {"played", v1::MESSAGE_STATUS_PLAYED},
                              {"failed", v1::MESSAGE_STATUS_FAILED}};
constexpr Word kTestEvents[] = {
    {"include", v1::TEST_EVENTS_INCLUDE}, {"exclude", v1::TEST_EVENTS_EXCLUDE}, {"only", v1::TEST_EVENTS_ONLY}};

template <size_t N>
std::string Joined(const Word (&words)[N], const char* separator) {
  return absl::StrJoin(words, separator, [](std::string* out, const Word& word) { out->append(word.word); });
}

// 0, every enum's UNSPECIFIED, for none of them.
template <size_t N>
int ValueOf(const Word (&words)[N], absl::string_view text) {
  for (const Word& word : words) {
    if (word.word == text) return word.value;
  }
  return 0;
}

// Takes one of `words`. They are the option's type name ("include|exclude|only"), which help shows and the shell
// completes.
template <size_t N>
void TakesOneOf(CLI::Option* option, const Word (&words)[N]) {
  option->type_name(Joined(words, "|"))->check([&words](const std::string& text) {
    return ValueOf(words, text) != 0 ? "" : absl::StrCat(text, " is none of ", Joined(words, ", "));
  });
}

std::string CheckStart(const std::string& text) {
  return std::string(ParseStart(text, absl::Now()).status().message());
}

// Standard base64 is what JSON output has, base64url what error details have.
bool Unescape(absl::string_view text, std::string* bytes) {
  const std::string copy(text);
  return absl::WebSafeBase64Unescape(copy, bytes) || absl::Base64Unescape(copy, bytes);
}

}  // namespace

absl::StatusOr<Start> ParseStart(absl::string_view text, absl::Time now) {
  if (text == "earliest") return Start(v1::START_POSITION_EARLIEST);
  if (text == "latest") return Start(v1::START_POSITION_LATEST);
  if (absl::ConsumePrefix(&text, kCursorPrefix)) {
    std::string cursor;
    if (Unescape(text, &cursor) && !cursor.empty()) return Start(std::move(cursor));
    return absl::InvalidArgumentError("a cursor is base64, as --json and error messages show it");
  }
  absl::Time time;
  if (absl::ParseTime(absl::RFC3339_full, text, &time, nullptr)) return Start(time);
  if (absl::ParseTime("%Y-%m-%d", text, absl::UTCTimeZone(), &time, nullptr)) return Start(time);
  absl::Duration ago;
  if (absl::ParseDuration(text, &ago) && ago > absl::ZeroDuration() && ago < absl::InfiniteDuration()) {
    return Start(now - ago);
  }
  return absl::InvalidArgumentError(
      absl::StrCat(text,
                   " is none of earliest, latest, a time such as 2026-05-28T10:15:00Z, a day, a duration before now "
                   "such as 15m, cursor:BASE64"));
}

std::string CursorText(absl::string_view cursor) {
  return absl::StrCat(kCursorPrefix, absl::WebSafeBase64Escape(cursor));
}

void EventFlags::AddTo(CLI::App& app, const std::string& default_from) {
  from = default_from;
  app.add_option("--from", from,
                 "Where to start: an end, a time (by the gateway's clock), a duration before now, a cursor")
      ->type_name("earliest|latest|TIME|DURATION|cursor:BASE64")
      ->check(CheckStart)
      ->capture_default_str();
  const auto list = [&](const char* name, std::vector<std::string>& values, const char* text) {
    return app.add_option(name, values, text)->expected(1)->take_all()->delimiter(',');
  };
  TakesOneOf(list("--type", types, "Only these events; lists take commas or the flag again"), kTypes);
  list("--session", sessions, "Only of these sessions")->type_name("UUID");
  list("--peer", peers, "Only with these numbers, to the letter")->type_name("PHONE");
  list("--message", messages, "Only about these messages")->type_name("ID");
  TakesOneOf(list("--status", statuses, "Only these statuses"), kStatuses);
  TakesOneOf(app.add_option("--test", test, "Test deliveries from aulm's dashboard")->capture_default_str(),
             kTestEvents);
  app.add_flag("--raw", raw, "Also show the webhook's body as it came");
}

v1::EventFilter EventFlags::Filter() const {
  v1::EventFilter filter;
  for (const std::string& type : types) filter.add_types(static_cast<v1::EventType>(ValueOf(kTypes, type)));
  for (const std::string& status : statuses) {
    filter.add_statuses(static_cast<v1::MessageStatus>(ValueOf(kStatuses, status)));
  }
  filter.mutable_session_ids()->Assign(sessions.begin(), sessions.end());
  filter.mutable_peers()->Assign(peers.begin(), peers.end());
  filter.mutable_message_ids()->Assign(messages.begin(), messages.end());
  filter.set_test_events(static_cast<v1::TestEvents>(ValueOf(kTestEvents, test)));
  return filter;
}

void EventFlags::SetTimestamp(absl::Time time, google::protobuf::Timestamp& timestamp) {
  const int64_t seconds = absl::ToUnixSeconds(time);
  timestamp.set_seconds(seconds);
  timestamp.set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(time - absl::FromUnixSeconds(seconds))));
}

}  // namespace aulm::gateway::ctl
