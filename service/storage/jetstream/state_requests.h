#pragma once

#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
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
// requests do.
class StateRequests {
 public:
  // Called once, on the state's thread, never from within Send. Errors: as BulkRequests.
  using Callback = BulkRequests::Callback;

  // All must outlive this.
  StateRequests(NatsConnection& connection, TaskThread& thread, const Clock& clock, absl::Duration timeout)
      : loop_(connection.loop()), thread_(thread), requests_(connection, clock, timeout) {}

  StateRequests(const StateRequests&) = delete;
  StateRequests& operator=(const StateRequests&) = delete;

  // Listens for answers. Before the first request.
  absl::Status Start() { return requests_.Start(); }

  // Sends one. Thread-safe, as everything below.
  void Send(std::string subject, NatsConnection::Headers headers, std::string data, Callback done)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // The connection broke, and answers will not come.
  void FailAll(const absl::Status& why);

  // Fails what got no answer in time. A few times a second.
  void Tick();

  // Fails everything, and nothing comes any more. Blocks until that is posted to the state's thread.
  void Stop();

 private:
  struct Request {
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
  void OnAnswer(Callback done, absl::StatusOr<NatsMessage> answer);
  void HandBack();

  NatsLoop& loop_;
  TaskThread& thread_;
  absl::Mutex mutex_;
  std::vector<Request> unsent_ ABSL_GUARDED_BY(mutex_);
  // Of the loop.
  BulkRequests requests_;
  std::vector<Answer> answered_;
};

}  // namespace aulm::gateway
