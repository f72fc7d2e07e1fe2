#include "service/messaging/recent_peers.h"

#include <algorithm>
#include <string>

#include "absl/hash/hash.h"
#include "absl/strings/ascii.h"
#include "aulm/gateway/v1/event.pb.h"

namespace aulm::gateway {
namespace {

// Of 64 bits: that two of the conversations kept share one is as likely as 1 in 10^9, and would merely put one cold
// send into the reply lane.
uint64_t ConversationOf(absl::string_view account, absl::string_view session_id, absl::string_view peer) {
  return absl::HashOf(account, absl::AsciiStrToLower(session_id), peer);
}

}  // namespace

void RecentPeers::Note(absl::string_view account, absl::string_view session_id, absl::string_view peer,
                       absl::Time time) {
  if (peer.empty()) return;
  const uint64_t conversation = ConversationOf(account, session_id, peer);
  absl::MutexLock lock(&mutex_);
  if (const auto known = by_conversation_.find(conversation); known != by_conversation_.end()) {
    known->second->time = std::max(known->second->time, time);
    by_age_.splice(by_age_.begin(), by_age_, known->second);
    return;
  }
  if (by_age_.size() >= capacity_) {
    by_conversation_.erase(by_age_.back().conversation);
    by_age_.pop_back();
  }
  by_age_.push_front({conversation, time});
  by_conversation_.emplace(conversation, by_age_.begin());
}

void RecentPeers::Note(const EventPage& page) {
  for (const LoggedEvent& event : page.events) {
    const EventAttributes& about = event.attributes;
    if (about.type != v1::EVENT_TYPE_INBOUND_MESSAGE || about.test) continue;
    Note(about.account, about.session_id, about.peer, event.ingested);
  }
}

void RecentPeers::Refill(EventLog& log, absl::Time since) {
  absl::StatusOr<uint64_t> after = log.FindTime(since);
  while (after.ok()) {
    const absl::StatusOr<EventPage> page = log.Read(*after, ReadLimits{});
    if (!page.ok()) return;
    Note(*page);
    if (page->end_of_log || page->events.empty()) return;
    after = page->events.back().sequence;
  }
}

bool RecentPeers::WroteSince(absl::string_view account, absl::string_view session_id, absl::string_view peer,
                             absl::Time since) const {
  const uint64_t conversation = ConversationOf(account, session_id, peer);
  absl::MutexLock lock(&mutex_);
  const auto known = by_conversation_.find(conversation);
  return known != by_conversation_.end() && known->second->time >= since;
}

}  // namespace aulm::gateway
