#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "boost/json/object.hpp"
#include "service/storage/jetstream/jetstream_api.h"

namespace aulm::gateway {

// A stream as the engine wants it. Everything else is the server's default.
struct StreamDefinition {
  std::string name;
  std::string subject;              // one, with wildcards
  int replicas = 0;                 // 0: three in a cluster, one on a single server, and whatever is there
  absl::Duration max_age;           // 0: for ever
  int64_t max_bytes = 0;            // 0: no bound
  int64_t max_per_subject = 0;      // 0: no bound
  absl::Duration duplicate_window;  // at least 100 ms
  bool direct = false;              // messages may be read from any replica
  bool keep = false;                // messages cannot be deleted one by one
  std::string description;          // given to a stream that is made; not compared
  // The settings that decide over max_age, max_bytes and the window, for the error; empty: none does.
  std::string max_age_setting, max_bytes_setting;
};

// What JetStream is asked to make of a spec, and whether a stream that is there is what the spec says: the error names
// each difference and what to do. FAILED_PRECONDITION.
boost::json::object StreamConfig(const StreamDefinition& spec, int replicas);
absl::Status CheckStream(const StreamDefinition& spec, const boost::json::object& config);

// Makes the stream where it is missing; checks it where it is there, and never alters it. Blocks, up to `limit`.
// Errors: FAILED_PRECONDITION as CheckStream, or when the servers cannot make it so; UNAVAILABLE.
absl::StatusOr<StreamInfo> OpenStream(JetStreamApi& api, const StreamDefinition& spec, absl::Duration limit);

// How many servers keep the stream.
int64_t CopiesOf(const StreamInfo& info);

}  // namespace aulm::gateway
