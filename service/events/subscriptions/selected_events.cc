#include "service/events/subscriptions/selected_events.h"

#include <algorithm>

#include "service/events/log_position.h"
#include "xxhash.h"

namespace aulm::gateway {

uint64_t ConversationOf(const EventAttributes& event) {
  uint64_t hash = XXH3_64bits(event.account.data(), event.account.size());
  hash = XXH3_64bits_withSeed(event.session_id.data(), event.session_id.size(), hash);
  hash = XXH3_64bits_withSeed(event.peer.data(), event.peer.size(), hash);
  return hash == 0 ? 1 : hash;
}

std::vector<FoundEvent> SelectFrom(const EncodedPage& page, uint64_t after, const EventSelection& selection) {
  std::vector<FoundEvent> found;
  const std::vector<EncodedEvent>& events = page.events();
  for (size_t i = page.FirstAfter(after); i < events.size(); ++i) {
    const EventAttributes& attributes = page.attributes(i);
    if (selection.Selects(attributes)) found.push_back({events[i].sequence, ConversationOf(attributes)});
  }
  return found;
}

absl::StatusOr<SelectedRead> ReadSelected(EventLog& log, uint64_t after, const ReadLimits& limits,
                                          const EventSelection& selection) {
  // What is stored before the read begins, the read sees.
  const LogInfo before = log.Info();
  const absl::StatusOr<EventPage> page = ReadOnward(log, after, limits);
  if (!page.ok()) return page.status();
  SelectedRead read;
  read.through = std::max(after, before.head);
  if (page->events.empty()) return read;
  read.through = page->events.back().sequence;
  for (const LoggedEvent& event : page->events) {
    if (selection.Selects(event.attributes)) read.found.push_back({event.sequence, ConversationOf(event.attributes)});
  }
  if (read.found.empty()) return read;
  read.page = EncodedPage::EncodeSelected(before.epoch, after, *page, selection);
  return read;
}

}  // namespace aulm::gateway
