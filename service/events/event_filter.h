#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/container/flat_hash_set.h"
#include "aulm/gateway/v1/event_service.pb.h"
#include "service/storage/event_log.h"

namespace aulm::gateway {

// A v1::EventFilter made ready for millions of questions: hash sets, and nothing allocated to answer. Immutable, so
// thread-safe.
class EventFilter {
 public:
  // Matches every event.
  EventFilter() = default;

  // `filter` must be valid (see CheckRequest in stream_spec.h).
  explicit EventFilter(const v1::EventFilter& filter);

  // Never blocks or allocates.
  bool Matches(const EventAttributes& event) const;

  bool matches_all() const { return matches_all_; }

 private:
  using Strings = absl::flat_hash_set<std::string>;

  bool matches_all_ = true;
  absl::flat_hash_set<int> types_;
  absl::flat_hash_set<int> statuses_;
  Strings session_ids_;
  Strings peers_;
  Strings message_ids_;
  std::optional<bool> test_;  // what EventAttributes::test must be
};

// Which events a caller may see at all, whatever it asks for. A set that is absent allows everything; events without a
// session are of no session that could be allowed.
struct EventVisibility {
  std::optional<absl::flat_hash_set<std::string>> accounts;
  std::optional<absl::flat_hash_set<std::string>> session_ids;

  bool Allows(const EventAttributes& event) const;
};

// What one reader gets: what it asked for, of what it may see.
struct EventSelection {
  EventFilter filter;
  std::shared_ptr<const EventVisibility> visibility;  // null: everything

  bool Selects(const EventAttributes& event) const {
    return filter.Matches(event) && (visibility == nullptr || visibility->Allows(event));
  }
  bool selects_all() const { return filter.matches_all() && visibility == nullptr; }
};

}  // namespace aulm::gateway
