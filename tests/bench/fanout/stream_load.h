#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "aulm/gateway/v1/event_service.pb.h"

namespace aulm::gateway {

// Many SubscribeEvents streams from one process that costs as little as it can: frames are counted on the wire, not
// decoded. Blocks where a method says so; not thread-safe.
class StreamLoad {
 public:
  struct Options {
    int streams = 1;
    int connections = 1;
    // Each stream is left after this many events.
    size_t events_each = 0;
    // Streams that take their first frame and never another.
    bool stalled = false;
    // Also look for the stamps of BenchEvent in every frame.
    bool latencies = false;
    v1::SubscribeEventsRequest request;
  };

  // Opens the streams.
  StreamLoad(const std::string& address, const Options& options);
  ~StreamLoad();

  // Blocks until every stream has had its first frame.
  void WaitForStarted();

  // Blocks until every stream has had its events. The time from the first of them to the last.
  absl::Duration WaitForEvents();

  // From the stamp to the frame's arrival, of every event, ascending.
  std::vector<absl::Duration> Latencies() const;

 private:
  class Stream;
  struct Shared;

  std::unique_ptr<Shared> shared_;
  std::vector<std::unique_ptr<Stream>> streams_;
};

}  // namespace aulm::gateway
