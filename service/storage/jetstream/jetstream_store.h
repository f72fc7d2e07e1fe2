#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "prometheus/registry.h"
#include "service/base/clock.h"
#include "service/base/random.h"
#include "service/storage/jetstream/jetstream_event_log.h"
#include "service/storage/jetstream/jetstream_state_store.h"
#include "service/storage/jetstream/nats_connection.h"
#include "service/storage/jetstream/nats_peer_channel.h"
#include "service/storage/jetstream/nats_requests.h"
#include "service/storage/jetstream/state_buckets.h"
#include "service/storage/jetstream/state_sweeper.h"
#include "service/storage/storage_metrics.h"
#include "service/storage/store.h"
#include "service/storage/task_thread.h"
#include "service/storage/wake_timer.h"

namespace aulm::gateway {

// A store on NATS JetStream, shared by any number of replicas: one stream for the log, one bucket of delivery ids, and
// a bucket for each kind of state, all below one prefix. It owns the connection, whose thread is the log's, and the
// state's thread, and hands out the seams. Destroying it answers what is under way first; nobody may be calling its
// parts by then.
class JetStreamStore {
 public:
  // Connects, makes what is missing, checks what is there. Blocks, for up to half a minute. Errors: FAILED_PRECONDITION
  // when a stream is not what the settings say or the server cannot hold our events; UNAVAILABLE when no server
  // answers; INVALID_ARGUMENT.
  static absl::StatusOr<std::unique_ptr<JetStreamStore>> Open(const StoreOptions& options, Clock& clock, Random& random,
                                                              prometheus::Registry& registry);
  ~JetStreamStore();

  JetStreamStore(const JetStreamStore&) = delete;
  JetStreamStore& operator=(const JetStreamStore&) = delete;

  EventLog& log() { return *log_; }
  StateStore& state() { return *state_; }
  PeerChannel& peers() { return *peers_; }

  // Reads the whole log and says whether it is sound: DATA_LOSS naming what is wrong. Blocks. Thread-safe.
  absl::Status FullCheck();

 private:
  JetStreamStore(const StoreOptions& options, Clock& clock, prometheus::Registry& registry);

  absl::Status Connect(Random& random);
  absl::Status OpenStreams(Random& random);
  // Tells on_health when what it has to tell has changed.
  void NoteConnection(const absl::Status& status);
  void NoteLog(const absl::Status& status);
  void TellHealth() ABSL_EXCLUSIVE_LOCKS_REQUIRED(health_mutex_);

  const StoreOptions options_;
  Clock& clock_;
  StorageMetrics metrics_;
  std::unique_ptr<NatsConnection> connection_;
  std::unique_ptr<NatsRequests> requests_;
  std::unique_ptr<JetStreamApi> api_;
  std::unique_ptr<TaskThread> state_thread_;
  std::unique_ptr<JetStreamEventLog> log_;
  std::unique_ptr<StateBuckets> buckets_;
  std::unique_ptr<StateRequests> state_requests_;
  std::unique_ptr<JetStreamStateStore> state_;
  std::unique_ptr<NatsPeerChannel> peers_;
  std::unique_ptr<StateSweeper> sweeper_;
  std::unique_ptr<WakeTimer> ticks_;

  absl::Mutex health_mutex_;
  absl::Status connection_state_ ABSL_GUARDED_BY(health_mutex_);
  absl::Status log_state_ ABSL_GUARDED_BY(health_mutex_);
  absl::Status told_ ABSL_GUARDED_BY(health_mutex_);
};

}  // namespace aulm::gateway
