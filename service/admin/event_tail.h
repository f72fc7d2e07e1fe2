#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "aulm/gateway/v1/event_service.pb.h"
#include "service/base/clock.h"
#include "service/events/event_filter.h"
#include "service/events/event_hub.h"
#include "service/http/http_service.h"

namespace aulm::gateway {

// What a viewer of the tail wants to see.
struct TailFilter {
  EventFilter filter;
  std::string peer_end;  // the peer's last digits; empty: any
  std::string id;        // the delivery id or message id; empty: any

  // Of a query such as "type=2&status=4&session=…&test=only&peer=78&id=…", percent-decoded here. Error:
  // INVALID_ARGUMENT, for people.
  static absl::StatusOr<TailFilter> Parse(absl::string_view query);
};

// An answer that shows the log's newest events and then goes on with those that come, as server-sent events: peers
// masked, no bodies. It looks a few times a second, shows at most some of what came, and says how many it left out: the
// busiest log costs a page, and a page the log, no more than that.
class EventTail final : public ReplySource, public std::enable_shared_from_this<EventTail> {
 public:
  static constexpr size_t kMostTails = 16;

  // Null when `open` says that there are too many. `open` counts them, and outlives them all, as do hub and clock.
  static std::shared_ptr<EventTail> Open(TailFilter filter, EventHub& hub, Clock& clock, std::atomic<size_t>& open);

  ~EventTail() override;

  void Next(Reply next) override;

 private:
  EventTail(TailFilter filter, EventHub& hub, Clock& clock, std::atomic<size_t>& open);

  // Looks whether there is something, a little later.
  void LookLater();
  void Look();
  // On a worker: reads what is new.
  void Read();
  void Answer(std::string piece);

  const TailFilter filter_;
  EventHub& hub_;
  Clock& clock_;
  std::atomic<size_t>& open_;

  // Of one step after the other: Next, a timer, a worker.
  uint64_t after_ = 0;
  bool begun_ = false;
  int idle_looks_ = 0;
  std::unique_ptr<Reply> next_;
};

}  // namespace aulm::gateway
