#pragma once

#include <cstdint>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "service/events/frame.h"

namespace aulm::gateway {

// What a SubscribeEvents call pulls its frames from: the log itself (EventStream) or a durable subscription. It knows
// no transport, keeps no queue, and makes a frame when it is asked for one. Thread-safe; never blocks. Callbacks run
// inline or on a thread of the gateway's, never under a lock.
class FrameSource {
 public:
  using StartCallback = absl::AnyInvocable<void(absl::Status) &&>;
  using FrameCallback = absl::AnyInvocable<void(absl::StatusOr<Frame>) &&>;

  // What was handed out, for the log line.
  struct Totals {
    uint64_t frames = 0;
    uint64_t events = 0;
    uint64_t bytes = 0;
    uint64_t sequence = 0;  // the position, where there is one
  };

  virtual ~FrameSource() = default;

  // Admission: calls `done` exactly once; Next may be called after OK. Once. CANCELLED after Close.
  virtual void Start(StartCallback done) = 0;

  // Calls `done` with the next frame when there is one: Started first, Drain last. At most one call is outstanding, and
  // `done` may make the next. An error is the end, and what to tell the subscriber. After Close, `done` is dropped
  // without being called.
  virtual void Next(FrameCallback done) = 0;

  // The subscriber is gone, or has been told the end. Drops what Next was given; more calls do nothing.
  virtual void Close() = 0;

  virtual const std::string& id() const = 0;
  virtual Totals totals() const = 0;
};

}  // namespace aulm::gateway
