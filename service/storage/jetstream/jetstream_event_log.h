#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "service/base/clock.h"
#include "service/base/random.h"
#include "service/storage/event_log.h"
#include "service/storage/jetstream/append_pipeline.h"
#include "service/storage/jetstream/jetstream_api.h"
#include "service/storage/jetstream/log_follower.h"
#include "service/storage/jetstream/stream_reader.h"
#include "service/storage/jetstream/stream_setup.h"
#include "service/storage/storage_metrics.h"
#include "service/storage/wake_timer.h"

namespace aulm::gateway {

// The log as one JetStream stream that any number of replicas append to. Sequences are the stream's. What this replica
// calls the head is what it has followed, so that everything up to it can be read, and is in memory when it is new. The
// epoch is made of the stream's name and the time of its making.
class JetStreamEventLog final : public EventLog {
 public:
  struct Options {
    std::string prefix;
    StreamDefinition events;      // the log's stream
    StreamDefinition deliveries;  // the bucket of delivery ids
    size_t max_appends;
    size_t max_bytes;
    size_t cache_bytes = 64 << 20;
  };

  struct Listeners {
    std::function<void(const absl::Status&)> on_state;  // whether the log is followed; on the log's thread
    std::function<void(const absl::Status&)> on_lost;   // the stream is another one: nothing here can go on
  };

  // `info` is the stream as it was opened. Its thread is the connection's loop. All must outlive this.
  JetStreamEventLog(const Options& options, NatsConnection& connection, JetStreamApi& api, Clock& clock, Random& random,
                    StorageMetrics& metrics, const StreamInfo& info, Listeners listeners);

  // After `requests` failed what was in flight.
  ~JetStreamEventLog() override;

  // Begins to follow the stream. Errors: UNAVAILABLE.
  absl::Status Start();

  // The connection broke.
  void OnDisconnected();

  // The connection is there again after a break.
  void OnConnected();

  // Further appends are refused; those under way are waited for, which takes no longer than an append may take.
  void Drain();

  // Nothing is done any more but what is under way: before `requests` ends.
  void Stop();

  void Append(NewEvent event, AppendCallback done) override;
  absl::StatusOr<EventPage> Read(uint64_t after, const ReadLimits& limits) override;
  absl::StatusOr<uint64_t> FindTime(absl::Time time) override;
  absl::StatusOr<uint64_t> FindHead() override { return reader_.FindHead(); }
  LogInfo Info() const override;
  void Watch(std::function<void(uint64_t head)> on_head) override;
  void Unwatch() override;

 private:
  void OnHead();
  void NoteHead();
  void NoteInfo(const StreamInfo& info);
  void Tick();
  // Has the stream's leader give the lead to another server.
  void ReplaceLeader();
  // The first event after `after`, wherever it is; nothing when there is none. Blocks.
  absl::StatusOr<std::shared_ptr<const FetchedEvent>> FirstAfter(uint64_t after);

  NatsConnection& connection_;
  NatsLoop& loop_;
  Clock& clock_;
  JetStreamApi& api_;
  StorageMetrics& metrics_;
  const std::string stream_;
  const std::string created_;
  const StreamReader reader_;
  AppendPipeline pipeline_;
  std::unique_ptr<LogFollower> follower_;
  absl::Time next_look_;                                // at the stream's figures; of the loop
  absl::Time last_seen_;                                // an answer of the stream's leader; of the loop
  absl::Time last_tick_;                                // of the loop
  absl::Time next_replacement_ = absl::InfinitePast();  // of the leader; of the loop
  std::atomic<bool> head_noted_{true};

  mutable absl::Mutex mutex_;
  LogInfo info_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<const std::function<void(uint64_t)>> watcher_ ABSL_GUARDED_BY(mutex_);
  std::thread::id watching_ ABSL_GUARDED_BY(mutex_);

  std::unique_ptr<WakeTimer> ticks_;
};

}  // namespace aulm::gateway
