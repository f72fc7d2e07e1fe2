#pragma once

#include <functional>
#include <memory>

#include "service/messaging/sent_messages.h"
#include "service/messaging/status_index.h"
#include "service/storage/event_log.h"

namespace aulm::gateway {

// The event log as the webhooks see it: a status on its way into it gets the labels and the traceparent of the send
// that it is about, and is found again by its message. Everything else goes straight through. A status may wait up to a
// second for a send that is under way, so that it can come after events appended later. Thread-safe; never blocks.
class LabellingEventLog final : public EventLog {
 public:
  // All outlive it, and every append.
  LabellingEventLog(EventLog& log, SentMessages& sent, StatusIndex& statuses)
      : log_(log), sent_(sent), statuses_(statuses) {}

  void Append(NewEvent event, AppendCallback done) override;

  absl::StatusOr<EventPage> Read(uint64_t after, const ReadLimits& limits) override { return log_.Read(after, limits); }
  absl::StatusOr<uint64_t> FindTime(absl::Time time) override { return log_.FindTime(time); }
  absl::StatusOr<uint64_t> FindHead() override { return log_.FindHead(); }
  LogInfo Info() const override { return log_.Info(); }
  void Watch(std::function<void(uint64_t head)> on_head) override { log_.Watch(std::move(on_head)); }
  void Unwatch() override { log_.Unwatch(); }

 private:
  void AppendMatched(NewEvent event, const SentMessages::Match& match, AppendCallback done);

  EventLog& log_;
  SentMessages& sent_;
  StatusIndex& statuses_;
};

}  // namespace aulm::gateway
