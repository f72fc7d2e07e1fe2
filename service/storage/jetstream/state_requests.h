#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "service/base/clock.h"
#include "service/storage/jetstream/bulk_requests.h"
#include "service/storage/jetstream/nats_connection.h"
#include "service/storage/task_thread.h"

namespace aulm::gateway {

// Requests that the state's thread makes and whose answers it gets, through the connection's loop. What one round of
// either thread brings goes over to the other in one piece: under load waking a thread for each costs more than the
// requests do. Each stream has an inbox of its own: one without a leader fails what is asked of it, and nothing else.
class StateRequests {
 public:
  // Called once, on the state's thread, never from within Send. Errors: as BulkRequests.
  using Callback = BulkRequests::Callback;

  // All must outlive this.
  StateRequests(NatsConnection& connection, TaskThread& thread, const Clock& clock, absl::Duration timeout)
      : connection_(connection), loop_(connection.loop()), thread_(thread), clock_(clock), timeout_(timeout) {}

  StateRequests(const StateRequests&) = delete;
  StateRequests& operator=(const StateRequests&) = delete;

  // Asks `stream` one. Thread-safe, as everything below.
  void Send(std::string stream, std::string subject, NatsConnection::Headers headers, std::string data, Callback done)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // The connection broke, and answers will not come.
  void FailAll(const absl::Status& why);

  // Fails what got no answer in time. A few times a second.
  void Tick();

  // Fails everything, and nothing comes any more. Blocks until that is posted to the state's thread.
  void Stop();

 private:
  struct Request {
    std::string stream;
    std::string subject;
    NatsConnection::Headers headers;
    std::string data;
    Callback done;
  };
  struct Answer {
    Callback done;
    absl::StatusOr<NatsMessage> answer;
  };

  // On the loop.
  void SendAll() ABSL_LOCKS_EXCLUDED(mutex_);
  // Listens for the stream's answers from when on it is first asked.
  absl::StatusOr<BulkRequests*> StreamOf(const std::string& name);
  void OnAnswer(Callback done, absl::StatusOr<NatsMessage> answer);
  void HandBack();

  NatsConnection& connection_;
  NatsLoop& loop_;
  TaskThread& thread_;
  const Clock& clock_;
  const absl::Duration timeout_;
  absl::Mutex mutex_;
  std::vector<Request> unsent_ ABSL_GUARDED_BY(mutex_);
  // Of the loop.
  absl::flat_hash_map<std::string, std::unique_ptr<BulkRequests>> streams_;
  bool stopped_ = false;
  std::vector<Answer> answered_;
};

}  // namespace aulm::gateway
