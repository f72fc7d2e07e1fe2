#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "service/storage/jetstream/jetstream_api.h"
#include "service/storage/jetstream/stream_setup.h"
#include "service/storage/store.h"

namespace aulm::gateway {

// The streams of a store on NATS, as the settings want them: the log's, and the bucket of delivery ids.
StreamDefinition EventsStream(const StoreOptions& options);
StreamDefinition DeliveriesStream(const StoreOptions& options);

// Whether one message can hold every event. Error: FAILED_PRECONDITION with both ways out.
absl::Status CheckMaxPayload(size_t max_payload, size_t max_body);

// Where a log's events came from, when it was copied from another store. The stream's description says so, and thus
// lives and ends with the stream.
struct LogOrigin {
  uint64_t epoch = 0;    // of the other log, whose cursors hold here too; 0: it began empty
  bool complete = true;  // false: the copying is not at its end
};
std::string DescribeOrigin(const LogOrigin& origin);
LogOrigin OriginOf(const StreamInfo& info);

}  // namespace aulm::gateway
