#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "service/storage/jetstream/jetstream_api.h"
#include "service/storage/jetstream/recent_events.h"

namespace aulm::gateway {

// Reads older events of the log's stream from the servers, many requests at once: each copy of the stream answers, and
// what one of them does not have is asked of its leader before it counts as gone. Thread-safe; everything blocks.
class StreamReader {
 public:
  // `on_info` hears what the leader says of the stream whenever it is asked. `api` must outlive this.
  StreamReader(JetStreamApi& api, std::string stream, std::function<void(const StreamInfo&)> on_info);

  struct Fetched {
    FetchedEvents events;
    uint64_t through = 0;  // everything up to here is in `events`, or is no more
  };

  // The events from `first` to `last`, which are both in the log or before it; at most `max_events`, and not many more
  // bytes than `max_bytes`, but one event always, where there is one. Errors: UNAVAILABLE.
  absl::StatusOr<Fetched> Fetch(uint64_t first, uint64_t last, size_t max_events, size_t max_bytes) const;

  // The sequence of the newest message, by a leader that the others follow. Errors: UNAVAILABLE.
  absl::StatusOr<uint64_t> FindHead() const;

 private:
  // Tells of it, too.
  absl::StatusOr<StreamInfo> Look() const;
  absl::Status FetchWindow(uint64_t first, uint64_t count, Fetched& fetched) const;
  // What stands at `sequence` or, where nothing does, what comes after it.
  absl::Status FetchFromLeader(uint64_t sequence, Fetched& fetched) const;

  JetStreamApi& api_;
  const std::string stream_;
  const std::function<void(const StreamInfo&)> on_info_;
};

}  // namespace aulm::gateway
