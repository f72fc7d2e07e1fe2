#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "grpcpp/support/slice.h"
#include "service/events/event_filter.h"
#include "service/events/log_position.h"
#include "service/storage/event_log.h"

namespace aulm::gateway {

// An event within an EncodedPage, as offsets into its bytes: `begin` to `end` is one whole field
// EventBatch.deliveries, `event_begin` to `end` the Delivery.event field within it. Whoever needs another Delivery
// around the same event (with an ack_token behind it) takes the latter and writes a prefix of its own.
struct EncodedEvent {
  uint64_t sequence = 0;
  uint32_t fingerprint = 0;
  uint32_t begin = 0;
  uint32_t event_begin = 0;
  uint32_t end = 0;
};

// Consecutive events of the log, encoded once for all streams: one reference-counted buffer of concatenated
// EventBatch.deliveries fields, which protobuf lets any frame take a run of as it is. Made by the hub for the ring
// (every event, with attributes to filter by) or by a read for one stream (only the events it selects). Immutable, so
// thread-safe.
class EncodedPage {
 public:
  // Every event of `page`, which was read after sequence `after`.
  static std::shared_ptr<const EncodedPage> EncodeAll(uint64_t epoch, uint64_t after, const EventPage& page);

  // The events of `page` that `selection` selects. `through` covers the others.
  static std::shared_ptr<const EncodedPage> EncodeSelected(uint64_t epoch, uint64_t after, const EventPage& page,
                                                           const EventSelection& selection);

  // A page that says: the log has nothing after `after`, up to and with `through`.
  static std::shared_ptr<const EncodedPage> Nothing(uint64_t after, uint64_t through);

  // One page of several neighbours (at least one, in order, all made by EncodeAll): what came live came in small pages.
  static std::shared_ptr<const EncodedPage> Merge(const std::vector<std::shared_ptr<const EncodedPage>>& pages);

  // The page covers the log's sequences after `after`, up to and with through().sequence.
  uint64_t after() const { return after_; }
  const Position& through() const { return through_; }

  const std::vector<EncodedEvent>& events() const { return events_; }

  // Of events()[index]; only on pages made by EncodeAll or Merge. Views into the page.
  const EventAttributes& attributes(size_t index) const { return attributes_[index]; }

  const grpc::Slice& bytes() const { return bytes_; }

  // What the page takes of memory, with everything around the bytes.
  size_t memory_bytes() const;

  // The first event after `sequence`, as an index into events().
  size_t FirstAfter(uint64_t sequence) const;

 private:
  EncodedPage(uint64_t after, uint64_t through) : after_(after), through_{through, 0} {}
  EncodedPage(uint64_t epoch, uint64_t after, const EventPage& page, const EventSelection* selection);

  void KeepAttributes(absl::Span<const EventAttributes> attributes);

  uint64_t after_;
  Position through_;
  std::vector<EncodedEvent> events_;
  std::vector<EventAttributes> attributes_;
  std::string attribute_text_;  // what attributes_ point into
  grpc::Slice bytes_;
};

}  // namespace aulm::gateway
