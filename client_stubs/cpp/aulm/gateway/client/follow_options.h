#pragma once

#include "absl/time/time.h"
#include "aulm/gateway/client/cursor_store.h"
#include "aulm/gateway/client/notices.h"
#include "aulm/gateway/v1/event_service.pb.h"

namespace aulm::gateway::client {

// How an EventFollower or an EventSubscriber follows events.
struct FollowOptions {
  // Where to start, the filter, the heartbeat interval (20 s where absent) and the rest. Its start holds until there is
  // a cursor, from the store or from the gateway. With `subscription` set, a durable one in mode CURSOR is followed:
  // its position is kept by the gateway, so that there must be no cursor_store.
  v1::SubscribeEventsRequest request;
  // Keeps the position over restarts of this process; null: starts anew each time. Must outlive what follows.
  CursorStore* cursor_store = nullptr;
  // The position is saved at most this often, and at the end. A crash repeats the events handled since; zero saves
  // after each event.
  absl::Duration cursor_save_interval = absl::Seconds(1);
  // The wait after a first and after a further failure to connect, jittered.
  absl::Duration least_backoff = absl::Milliseconds(200);
  absl::Duration most_backoff = absl::Seconds(10);
  Notices notices;
};

}  // namespace aulm::gateway::client
