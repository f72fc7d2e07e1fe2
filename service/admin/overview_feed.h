#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "service/admin/overview.h"
#include "service/http/http_service.h"

namespace aulm::gateway {

// Brings the overview to every open page once a second, as server-sent events, made once for all of them and only while
// there is one. What it always does is count the events stored in each second, so that a page that opens has its graph.
// Thread-safe; never blocks.
class OverviewFeed : public std::enable_shared_from_this<OverviewFeed> {
 public:
  static constexpr size_t kMostPages = 16;

  // Begins to count.
  static std::shared_ptr<OverviewFeed> Create(OverviewSources sources);

  // Counts and looks no more: afterwards the sources may go.
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);

  // An answer that goes on with every new overview; null when too many pages are open.
  std::shared_ptr<ReplySource> Open() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  class Page;

  explicit OverviewFeed(OverviewSources sources);

  void Tick() ABSL_LOCKS_EXCLUDED(mutex_);
  // On a worker: makes the overview and brings it to whoever waits. The subscriptions in it are those of the last time
  // that the store told them: a store that hangs must not keep the page from showing it.
  void Make() ABSL_LOCKS_EXCLUDED(mutex_);
  void AskForSubscriptions() ABSL_LOCKS_EXCLUDED(mutex_);

  const OverviewSources sources_;

  absl::Mutex mutex_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  bool making_ ABSL_GUARDED_BY(mutex_) = false;
  bool asking_ ABSL_GUARDED_BY(mutex_) = false;
  KnownSubscriptions subscriptions_ ABSL_GUARDED_BY(mutex_);
  size_t pages_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t head_ ABSL_GUARDED_BY(mutex_);  // of the log, at the last tick
  EventHistory history_ ABSL_GUARDED_BY(mutex_);
  uint64_t number_ ABSL_GUARDED_BY(mutex_) = 0;  // of the newest overview
  std::string newest_ ABSL_GUARDED_BY(mutex_);
  absl::Time made_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
  std::vector<Reply> waiting_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace aulm::gateway
