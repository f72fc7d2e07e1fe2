#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "service/base/clock.h"
#include "service/storage/peer_channel.h"

namespace aulm::gateway {

// On which sessions another replica may have a send under way, which SentMessages asks before it lets a status go that
// fits no message. Each replica tells the others when it begins to send on a session, and again every second while it
// does; nobody asks, and nothing is stored. Where something may have gone unheard, every session counts as one.
// Thread-safe; never blocks. A session here is named by its account, a line break and its id in lower case.
class SendsElsewhere : public std::enable_shared_from_this<SendsElsewhere> {
 public:
  // Listens at once. Both outlive it.
  static std::shared_ptr<SendsElsewhere> Create(PeerChannel& peers, Clock& clock);

  // A send of this replica's: from before it may reach aulm, until its outcome is known.
  void Begin(absl::string_view session) ABSL_LOCKS_EXCLUDED(mutex_);
  void End(absl::string_view session) ABSL_LOCKS_EXCLUDED(mutex_);

  // True while another replica may have a send under way, or has just settled one.
  bool Possible(absl::string_view session) const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  SendsElsewhere(PeerChannel& peers, Clock& clock) : peers_(peers), clock_(clock) {}

  void Tell(const std::vector<std::string>& sessions);
  void TellLater();
  void TellAgain() ABSL_LOCKS_EXCLUDED(mutex_);
  void OnNews(absl::string_view news) ABSL_LOCKS_EXCLUDED(mutex_);
  void OnHearing(bool hears) ABSL_LOCKS_EXCLUDED(mutex_);

  PeerChannel& peers_;
  Clock& clock_;

  mutable absl::Mutex mutex_;
  // How many sends are under way here, on the sessions that the others were told of within the last second.
  absl::flat_hash_map<std::string, int> ours_ ABSL_GUARDED_BY(mutex_);
  // Until when the sessions that others told of count.
  absl::flat_hash_map<std::string, absl::Time> others_ ABSL_GUARDED_BY(mutex_);
  absl::Time forget_at_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
  // Until then there may be some that nobody has told us of.
  absl::Time unsure_until_ ABSL_GUARDED_BY(mutex_) = absl::InfiniteFuture();
};

}  // namespace aulm::gateway
