#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <utility>

#include "absl/container/btree_map.h"
#include "service/events/encoded_page.h"

namespace aulm::gateway {

// The encoded pages that a subscription read lately, at most 256 and about 4 MiB, so that handing an event out seldom
// reads the log again. Not thread-safe.
class KeptPages {
 public:
  // Keeps `page`, in place of one that ends at the same sequence, and lets the oldest go.
  void Keep(std::shared_ptr<const EncodedPage> page);

  // The page that has the event at `sequence`, and its index there; nullptr when none has.
  std::pair<std::shared_ptr<const EncodedPage>, size_t> Find(uint64_t sequence) const;

 private:
  absl::btree_map<uint64_t, std::shared_ptr<const EncodedPage>> pages_;  // by the last sequence that they cover
  std::deque<uint64_t> order_;                                           // in which they came
  size_t bytes_ = 0;
};

}  // namespace aulm::gateway
