#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "service/base/clock.h"
#include "service/storage/jetstream/nats_connection.h"
#include "service/storage/task_thread.h"
#include "service/storage/wake_timer.h"

namespace aulm::gateway {

// Requests and their answers over one inbox, any number in flight: everything that the engine asks of NATS goes through
// here, publishes to JetStream included, whose answer is the acknowledgement. Thread-safe.
class NatsRequests {
 public:
  // Called once, on the thread of the answers or that of the deadlines: it must not block. Errors: NOT_FOUND when
  // nobody listens to the subject; DEADLINE_EXCEEDED; UNAVAILABLE when the connection is down or breaks, and then the
  // request may have arrived; RESOURCE_EXHAUSTED when it is too large.
  using Callback = absl::AnyInvocable<void(absl::StatusOr<NatsMessage>) &&>;

  // The connection must outlive this.
  static absl::StatusOr<std::unique_ptr<NatsRequests>> Create(NatsConnection& connection, Clock& clock);

  // Fails what is in flight.
  ~NatsRequests();

  NatsRequests(const NatsRequests&) = delete;
  NatsRequests& operator=(const NatsRequests&) = delete;

  // As NatsConnection::Publish, it may block on a full socket. What is sent one after the other by one thread arrives
  // in that order.
  void Send(const std::string& subject, const NatsConnection::Headers& headers, absl::string_view data,
            absl::Duration timeout, Callback done);

  // Send, and waits. Not on the threads that callbacks run on.
  absl::StatusOr<NatsMessage> SendNow(const std::string& subject, const NatsConnection::Headers& headers,
                                      absl::string_view data, absl::Duration timeout);

  bool connected() const { return connection_.connected(); }

  // Fails everything in flight with UNAVAILABLE: the connection broke, and answers would not find us.
  void FailAll(absl::string_view why);

 private:
  struct Open {
    absl::Time deadline;
    Callback done;
  };

  NatsRequests(NatsConnection& connection, Clock& clock);

  void OnAnswer(NatsMessage message);
  void ExpireOld();

  NatsConnection& connection_;
  Clock& clock_;
  const std::string inbox_;
  absl::Mutex mutex_;
  uint64_t next_id_ ABSL_GUARDED_BY(mutex_) = 1;
  absl::flat_hash_map<uint64_t, Open> open_ ABSL_GUARDED_BY(mutex_);
  bool closing_ ABSL_GUARDED_BY(mutex_) = false;
  TaskThread deadlines_;
  std::unique_ptr<WakeTimer> expiry_;  // its wake must not be entered again from within: it posts
  std::unique_ptr<NatsConnection::Subscription> answers_;
};

}  // namespace aulm::gateway
