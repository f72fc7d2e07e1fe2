#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "service/base/clock.h"
#include "service/base/random.h"
#include "service/storage/event_log.h"
#include "service/storage/jetstream/jetstream_api.h"
#include "service/storage/jetstream/nats_connection.h"
#include "service/storage/jetstream/nats_requests.h"
#include "service/storage/jetstream/stream_setup.h"
#include "service/storage/store.h"

namespace aulm::gateway {

// Fills a new store on NATS with what another store holds, under the same sequences, ingested times and keys. Until
// Finish no gateway starts on it. What was interrupted goes on where it was. Everything blocks; one thread uses it.
// Errors of everything: UNAVAILABLE when a server does not answer, RESOURCE_EXHAUSTED when one is full; each call may
// tell of an earlier one's.
class JetStreamImport {
 public:
  // Connects and makes the streams. `source` is the log to be copied. Errors: FAILED_PRECONDITION when there is a log
  // already that is not the beginning of this one's copy; as JetStreamStore::Open.
  static absl::StatusOr<std::unique_ptr<JetStreamImport>> Begin(const StoreOptions& options, const LogInfo& source,
                                                                Clock& clock, Random& random);
  ~JetStreamImport();

  // The next event, with its raw body, in the order of the sequences. One that is there from an earlier try is passed
  // over.
  absl::Status AddEvent(const LoggedEvent& event);

  // A delivery that was seen, whose event has or had `sequence`. `key` is its DeliveryKey.
  absl::Status AddDelivery(absl::string_view key, uint64_t sequence);

  // An entry of the state.
  absl::Status AddState(absl::string_view bucket, absl::string_view key, absl::string_view value, absl::Time expires);

  // Everything is there: says so, and gateways may start.
  absl::Status Finish();

 private:
  JetStreamImport(const StoreOptions& options, const LogInfo& source, Clock& clock);

  absl::Status Connect(Random& random);
  absl::Status OpenStreams();
  // Publishes, and waits only while too much is in flight. `sequence`: what it must be stored as; 0: anything.
  absl::Status Publish(const std::string& subject, const NatsConnection::Headers& headers, absl::string_view data,
                       uint64_t sequence);
  absl::Status AwaitAll();

  const StoreOptions options_;
  const LogInfo source_;
  const StreamDefinition events_, deliveries_;
  Clock& clock_;
  std::unique_ptr<NatsConnection> connection_;
  std::unique_ptr<NatsRequests> requests_;
  std::unique_ptr<JetStreamApi> api_;
  uint64_t there_ = 0;  // events up to this sequence are
  // The last event that an earlier try had brought there, as it stands there; 0: none.
  uint64_t resumed_at_ = 0;
  std::string resumed_with_;
  absl::flat_hash_set<std::string> buckets_;

  absl::Mutex mutex_;
  size_t open_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t open_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Status failed_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace aulm::gateway
