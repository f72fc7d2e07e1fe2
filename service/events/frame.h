#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "absl/container/inlined_vector.h"
#include "aulm/gateway/v1/event_service.pb.h"
#include "grpcpp/support/byte_buffer.h"
#include "service/events/cursor.h"
#include "service/events/encoded_page.h"

namespace aulm::gateway {

enum class FrameKind { kStarted, kEventBatch, kHeartbeat, kGap, kDrain };

// One encoded v1::SubscribeEventsResponse, ready for the wire.
struct Frame {
  FrameKind kind = FrameKind::kStarted;
  grpc::ByteBuffer bytes;
  size_t size_bytes = 0;
  size_t events = 0;  // deliveries in it
};

// Any frame but an EventBatch.
Frame EncodeFrame(FrameKind kind, const v1::SubscribeEventsResponse& message);

// Puts an EventBatch frame together from events that are encoded already: runs of neighbours become one slice of their
// page each, and only the frame's head and its resume_cursor are written anew. Not thread-safe; used for one frame.
class BatchFrame {
 public:
  // At most `max_events` events and `max_bytes` of them, save that one event always fits.
  BatchFrame(size_t max_events, size_t max_bytes) : max_events_(max_events), max_bytes_(max_bytes) {}

  // Adds page->events()[index]; false when the frame is full without it.
  bool Add(const std::shared_ptr<const EncodedPage>& page, size_t index) { return AddRun(page, index, index + 1) > 0; }

  // Adds page->events() from `first` to before `last`, as many as there is room for: how many that were.
  size_t AddRun(const std::shared_ptr<const EncodedPage>& page, size_t first, size_t last);

  size_t events() const { return events_; }

  Frame Finish(const Cursor& resume) const;

 private:
  struct Run {
    std::shared_ptr<const EncodedPage> page;
    uint32_t begin;
    uint32_t end;
  };

  const size_t max_events_;
  const size_t max_bytes_;
  absl::InlinedVector<Run, 4> runs_;
  size_t events_ = 0;
  size_t bytes_ = 0;
};

}  // namespace aulm::gateway
