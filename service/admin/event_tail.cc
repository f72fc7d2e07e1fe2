#include "service/admin/event_tail.h"

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "service/admin/event_json.h"
#include "service/admin/form.h"
#include "service/admin/json_text.h"

namespace aulm::gateway {
namespace {

constexpr absl::Duration kBetweenLooks = absl::Milliseconds(250);
// After so many looks without anything to show, a line says that the connection is alive.
constexpr int kIdleLooks = 20;
// How far back a tail that begins looks for events of its filter, and how far it may fall behind before it leaves some
// out.
constexpr uint64_t kLookBack = 2000;
constexpr size_t kPageEvents = 500;
constexpr size_t kMostShown = 50;

}  // namespace

absl::StatusOr<TailFilter> TailFilter::Parse(absl::string_view query) {
  TailFilter tail;
  v1::EventFilter filter;
  const absl::StatusOr<Form> form = ParseForm(query);
  if (!form.ok()) return form.status();
  for (const auto& [name, value] : *form) {
    int number = 0;
    if (value.empty()) continue;
    if (name == "type" && absl::SimpleAtoi(value, &number) && v1::EventType_IsValid(number)) {
      filter.add_types(static_cast<v1::EventType>(number));
    } else if (name == "status" && absl::SimpleAtoi(value, &number) && v1::MessageStatus_IsValid(number)) {
      filter.add_statuses(static_cast<v1::MessageStatus>(number));
    } else if (name == "session" && value.size() <= 64) {
      filter.add_session_ids(value);
    } else if (name == "test" && (value == "only" || value == "exclude")) {
      filter.set_test_events(value == "only" ? v1::TEST_EVENTS_ONLY : v1::TEST_EVENTS_EXCLUDE);
    } else if (name == "peer" && value.size() <= 4 &&
               std::all_of(value.begin(), value.end(), [](char c) { return absl::ascii_isdigit(c); })) {
      tail.peer_end = value;
    } else if (name == "id" && value.size() <= 128) {
      tail.id = value;
    } else {
      return absl::InvalidArgumentError(absl::StrCat("the filter ", name, " has a value that it cannot take"));
    }
  }
  tail.filter = EventFilter(filter);
  return tail;
}

std::shared_ptr<EventTail> EventTail::Open(TailFilter filter, EventHub& hub, Clock& clock, std::atomic<size_t>& open) {
  if (open.fetch_add(1) >= kMostTails) {
    open.fetch_sub(1);
    return nullptr;
  }
  return std::shared_ptr<EventTail>(new EventTail(std::move(filter), hub, clock, open));
}

EventTail::EventTail(TailFilter filter, EventHub& hub, Clock& clock, std::atomic<size_t>& open)
    : filter_(std::move(filter)), hub_(hub), clock_(clock), open_(open) {}

EventTail::~EventTail() { open_.fetch_sub(1); }

void EventTail::Next(Reply next) {
  next_ = std::make_unique<Reply>(std::move(next));
  if (!begun_) return Look();
  LookLater();
}

void EventTail::LookLater() {
  clock_.CallAfter(kBetweenLooks, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->Look();
  });
}

void EventTail::Look() {
  if (begun_ && hub_.head().sequence <= after_) {
    if (++idle_looks_ < kIdleLooks) return LookLater();
    return Answer(": alive\n\n");
  }
  hub_.Post([self = shared_from_this()] { self->Read(); });
}

void EventTail::Read() {
  const LogInfo info = hub_.log().Info();
  uint64_t skipped = 0;
  if (!begun_ || info.head - std::min(info.head, after_) > kLookBack) {
    const uint64_t after = info.head - std::min(info.head - (info.earliest - 1), kLookBack);
    if (begun_) skipped = after - after_;
    after_ = after;
  }
  begun_ = true;
  std::vector<std::string> shown;
  while (after_ < info.head) {
    const absl::StatusOr<EventPage> page = hub_.log().Read(after_, {kPageEvents, 1 << 20, false});
    if (!page.ok()) {
      shown.push_back(absl::StrCat(R"({"failure":)", boost::json::serialize(JsonText(page.status().message())), "}"));
      break;
    }
    for (const LoggedEvent& event : page->events) {
      after_ = event.sequence;
      if (!filter_.filter.Matches(event.attributes)) continue;
      if (!filter_.peer_end.empty() && !absl::EndsWith(event.attributes.peer, filter_.peer_end)) continue;
      if (!filter_.id.empty() && event.delivery_id != filter_.id && event.attributes.message_id != filter_.id) continue;
      shown.push_back(WriteEvent(event));
    }
    if (page->events.empty() || page->end_of_log) break;
  }
  after_ = std::max(after_, info.head);
  if (shown.size() > kMostShown) {
    skipped += shown.size() - kMostShown;
    shown.erase(shown.begin(), shown.end() - kMostShown);
  }
  if (shown.empty() && skipped == 0) return LookLater();
  std::string piece;
  if (skipped > 0) absl::StrAppend(&piece, "event: skipped\ndata: ", skipped, "\n\n");
  for (const std::string& event : shown) absl::StrAppend(&piece, "event: event\ndata: ", event, "\n\n");
  Answer(std::move(piece));
}

void EventTail::Answer(std::string piece) {
  idle_looks_ = 0;
  const std::unique_ptr<Reply> next = std::move(next_);
  std::move(*next).Send({.body = std::move(piece)});
}

}  // namespace aulm::gateway
