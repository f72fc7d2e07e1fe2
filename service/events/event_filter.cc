#include "service/events/event_filter.h"

#include "absl/strings/ascii.h"
#include "absl/strings/string_view.h"

namespace aulm::gateway {
namespace {

// An empty set lets everything through.
template <typename Set, typename Value>
bool In(const Set& set, const Value& value) {
  return set.empty() || set.contains(value);
}

}  // namespace

EventFilter::EventFilter(const v1::EventFilter& filter)
    : types_(filter.types().begin(), filter.types().end()),
      statuses_(filter.statuses().begin(), filter.statuses().end()),
      peers_(filter.peers().begin(), filter.peers().end()),
      message_ids_(filter.message_ids().begin(), filter.message_ids().end()) {
  // UUIDs have no case; events carry them as aulm spelt them, which is lower case.
  for (const std::string& id : filter.session_ids()) {
    session_ids_.insert(id);
    session_ids_.insert(absl::AsciiStrToLower(id));
  }
  if (filter.test_events() == v1::TEST_EVENTS_EXCLUDE) test_ = false;
  if (filter.test_events() == v1::TEST_EVENTS_ONLY) test_ = true;
  matches_all_ = types_.empty() && statuses_.empty() && session_ids_.empty() && peers_.empty() &&
                 message_ids_.empty() && !test_.has_value();
}

bool EventFilter::Matches(const EventAttributes& event) const {
  if (matches_all_) return true;
  if (test_.has_value() && *test_ != event.test) return false;
  return In(types_, event.type) && In(statuses_, event.status) && In(session_ids_, event.session_id) &&
         In(peers_, event.peer) && In(message_ids_, event.message_id);
}

bool EventVisibility::Allows(const EventAttributes& event) const {
  if (accounts.has_value() && !accounts->contains(event.account)) return false;
  return !session_ids.has_value() || session_ids->contains(event.session_id);
}

}  // namespace aulm::gateway
