#pragma once

#include <cstdint>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "boost/json/object.hpp"
#include "service/storage/jetstream/nats_requests.h"

namespace aulm::gateway {

// What JetStream says of a stream.
struct StreamInfo {
  boost::json::object config;
  std::string created;  // RFC 3339: another one is another stream
  uint64_t messages = 0;
  uint64_t bytes = 0;
  uint64_t first = 0;  // sequence; last + 1 when the stream is empty
  uint64_t last = 0;
  absl::Time first_time;  // the epoch when the stream is empty
  // False when the leader that answered has not heard from most of the copies lately: cut off from
  // the others, it still counts itself the leader, and can store nothing.
  bool in_touch = true;
};

// A stored message as the API gives it.
struct StoredMessage {
  uint64_t sequence = 0;
  absl::Time time;
  std::string subject;
  std::string headers;  // as on the wire
  std::string data;

  // Empty when there is none.
  absl::string_view Header(absl::string_view name) const;
};

// What became of a publish to a stream.
struct PublishAck {
  uint64_t sequence = 0;
  bool duplicate = false;
};

// JetStream's own errors as statuses: NOT_FOUND (no such stream or message), ABORTED (wrong last sequence),
// RESOURCE_EXHAUSTED (a limit or the disk), ALREADY_EXISTS (IsInProcess), UNAVAILABLE (try again), FAILED_PRECONDITION
// (anything else).
absl::Status JetStreamError(const boost::json::object& error, absl::string_view what);

// Whether a publish was refused because the stream's leader has begun to store one of the same message id, and not come
// to an end. That should take a moment. But a leader that lost the lead before it ended, and got it back later, says so
// for the whole duplicate window, though nothing was stored (servers up to 2.10, and the first of 2.11).
bool IsInProcess(const absl::Status& status);

// Whether a request that ended so may be repeated with a hope of better: nobody answered, or not in time, or there is
// no leader.
bool IsTransient(const absl::Status& status);

// The acknowledgement in an answer, or its error.
absl::StatusOr<PublishAck> ParsePublishAck(const absl::StatusOr<NatsMessage>& answer);

// JetStream's API over requests: what the engine needs of it. Thread-safe.
class JetStreamApi {
 public:
  using Callback = absl::AnyInvocable<void(absl::StatusOr<boost::json::object>) &&>;

  // `requests` must outlive this.
  explicit JetStreamApi(NatsRequests& requests) : requests_(requests) {}

  // Asks $JS.API.<verb>; `done` as NatsRequests::Callback, with the answer's object or JetStreamError. A description of
  // a stream that has no leader just now is UNAVAILABLE: then any copy answers, also one that is far behind.
  void Call(const std::string& verb, const boost::json::object& question, absl::Duration timeout, Callback done);

  // Call, and waits, repeating what is transient for up to `limit`.
  absl::StatusOr<boost::json::object> CallNow(const std::string& verb, const boost::json::object& question,
                                              absl::Duration limit);

  NatsRequests& requests() { return requests_; }

 private:
  NatsRequests& requests_;
};

// Reads the answers of STREAM.INFO, STREAM.CREATE and STREAM.MSG.GET.
StreamInfo ParseStreamInfo(const boost::json::object& answer);
absl::StatusOr<StoredMessage> ParseStoredMessage(const boost::json::object& answer);

// RFC 3339 with nanoseconds; the epoch when it is none.
absl::Time ParseNatsTime(absl::string_view text);

}  // namespace aulm::gateway
