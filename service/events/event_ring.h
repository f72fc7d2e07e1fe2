#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "service/events/encoded_page.h"
#include "service/events/log_position.h"

namespace aulm::gateway {

// The newest events, encoded, as far as a number of bytes allows: an unbroken stretch of the log from start() to
// head(). Not thread-safe: the hub's mutex guards it.
class EventRing {
 public:
  // Keeps at most `max_bytes` (memory, not only events), save that the newest page always stays.
  explicit EventRing(size_t max_bytes) : max_bytes_(max_bytes) {}

  // Events after this sequence are in the ring.
  uint64_t start() const { return start_; }

  // The newest event that the ring has seen.
  const Position& head() const { return head_; }

  size_t bytes() const { return bytes_; }
  size_t events() const { return events_; }

  // The newest pages that Append is to replace by one page of them and `next`. Live events come in pages of one or a
  // few; merged like the carries of a binary counter, each event is copied a few times, and a stream that is a little
  // behind finds runs of events instead of crumbs.
  std::vector<std::shared_ptr<const EncodedPage>> ToMergeWith(const EncodedPage& next) const;

  // Adds the page that follows head(), in place of the newest `replaced` pages, whose events it holds too.
  void Append(std::shared_ptr<const EncodedPage> page, size_t replaced = 0);

  // Forgets everything and goes on from `head`: whoever stands before it finds itself behind the ring.
  void Restart(const Position& head);

  // The log has nothing between head() and `sequence`, nor at it.
  void Skip(uint64_t sequence);

  // The page with the first event after `after`, which is at least start() and below head(); nullptr when Skip said
  // that there is none.
  std::shared_ptr<const EncodedPage> PageAfter(uint64_t after) const;

  // The event at `sequence`; nullptr when the ring has none there.
  const EncodedEvent* Find(uint64_t sequence) const;

 private:
  using Deque = std::deque<std::shared_ptr<const EncodedPage>>;

  void DropNewest();
  Deque::const_iterator FirstThrough(uint64_t sequence) const;

  const size_t max_bytes_;
  uint64_t start_ = 0;
  Position head_;
  Deque pages_;
  size_t bytes_ = 0;
  size_t events_ = 0;
};

}  // namespace aulm::gateway
