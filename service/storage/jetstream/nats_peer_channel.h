#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "service/storage/jetstream/nats_connection.h"
#include "service/storage/jetstream/nats_requests.h"
#include "service/storage/peer_channel.h"
#include "service/storage/task_thread.h"

namespace aulm::gateway {

// The other replicas over plain NATS: each listens to <prefix>.peers.<its id>, and a question is a request to that
// subject; what one tells all others goes to <prefix>.news.<its id>. Nothing is kept: a question that nobody hears is
// answered NOT_FOUND by the server at once.
class NatsPeerChannel final : public PeerChannel {
 public:
  // Questions and answers are sent on `thread`. All must outlive this.
  NatsPeerChannel(std::string prefix, std::string self, NatsConnection& connection, NatsRequests& requests,
                  TaskThread& thread);

  absl::string_view Self() const override { return self_; }
  void Ask(absl::string_view peer, std::string question, absl::Duration timeout, AskCallback done) override;
  void Answer(AnswerFunction answer) override;
  void Tell(std::string news) override;
  void Listen(Listener listener) override ABSL_LOCKS_EXCLUDED(listening_);

  // The connection broke, or stands again.
  void OnConnection(bool connected) ABSL_LOCKS_EXCLUDED(listening_);

  // Hears no further questions and no news; questions under way are not answered. Before `thread` ends.
  void Stop();

 private:
  std::string SubjectOf(absl::string_view peer) const;

  const std::string prefix_;
  const std::string self_;
  NatsConnection& connection_;
  NatsRequests& requests_;
  TaskThread& thread_;
  // Whether answers may still be sent: they can come when the channel is gone.
  struct Life;
  const std::shared_ptr<Life> life_;
  std::unique_ptr<NatsConnection::Subscription> questions_;
  std::unique_ptr<NatsConnection::Subscription> news_;
  absl::Mutex listening_;
  std::function<void(bool hears)> on_hearing_ ABSL_GUARDED_BY(listening_);
};

}  // namespace aulm::gateway
