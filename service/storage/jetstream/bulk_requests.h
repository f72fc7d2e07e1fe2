#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "service/base/clock.h"
#include "service/storage/jetstream/nats_connection.h"

namespace aulm::gateway {

// Requests of one kind to one stream and their answers, thousands in flight, all on the loop's thread: what an append
// asks for. An answer costs no lock, no hand-over and no look-up. Where the server says that nobody listens, the stream
// has no leader, and everything in flight is failed: who asks in bulk must be able to ask again.
class BulkRequests {
 public:
  // Called once, on the loop's thread, never from within Send. Errors: DEADLINE_EXCEEDED, UNAVAILABLE (each may have
  // arrived), RESOURCE_EXHAUSTED when it is too large.
  using Callback = absl::AnyInvocable<void(absl::StatusOr<NatsMessage>) &&>;

  // `connection` must outlive this. Begins to listen with Start.
  BulkRequests(NatsConnection& connection, const Clock& clock, absl::Duration timeout);

  BulkRequests(const BulkRequests&) = delete;
  BulkRequests& operator=(const BulkRequests&) = delete;

  absl::Status Start();

  // On the loop's thread, as everything below. Sends one; what is sent one after the other arrives in that order.
  void Send(const std::string& subject, const NatsConnection::Headers& headers, absl::string_view data, Callback done);

  // Fails what got no answer in time. A few times a second.
  void Tick();

  void FailAll(const absl::Status& why);

  // Fails everything, and nothing comes any more.
  void Stop();

 private:
  struct Open {
    absl::Time deadline;
    Callback done;  // empty: answered
  };

  void OnAnswer(NatsMessage message);
  void Finish(uint64_t id, absl::StatusOr<NatsMessage> answer);

  NatsConnection& connection_;
  const Clock& clock_;
  const absl::Duration timeout_;
  const std::string inbox_;
  std::deque<Open> open_;  // in the order of their ids, which is that of their deadlines
  uint64_t first_ = 1;     // the id of the front one
  std::unique_ptr<NatsConnection::Subscription> answers_;
};

}  // namespace aulm::gateway
