#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "service/events/encoded_page.h"
#include "service/events/event_filter.h"
#include "service/events/subscriptions/shared_ledger.h"
#include "service/storage/event_log.h"

// What a SHARED subscription selects of the log, in the form that its ledger takes.
namespace aulm::gateway {

// The hash of an event's conversation: (account, session, peer); without a peer, the session. Never 0.
uint64_t ConversationOf(const EventAttributes& event);

// The selected events of a page of the hub's ring that come after `after`.
std::vector<FoundEvent> SelectFrom(const EncodedPage& page, uint64_t after, const EventSelection& selection);

// A stretch of the log that was read.
struct SelectedRead {
  std::vector<FoundEvent> found;
  std::shared_ptr<const EncodedPage> page;  // of them; nullptr when there are none
  uint64_t through = 0;                     // the stretch ends here
};

// Reads on after `after`. Blocks. Errors: CURSOR_EXPIRED when retention has taken what comes next; STORE_UNAVAILABLE.
absl::StatusOr<SelectedRead> ReadSelected(EventLog& log, uint64_t after, const ReadLimits& limits,
                                          const EventSelection& selection);

}  // namespace aulm::gateway
