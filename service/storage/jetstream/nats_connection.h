#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "nats/nats.h"
#include "service/base/random.h"
#include "service/storage/jetstream/nats_loop.h"
#include "service/storage/jetstream/nats_message.h"
#include "service/storage/jetstream/nats_subscriptions.h"
#include "service/storage/nats_servers.h"

namespace aulm::gateway {

// One connection to a NATS cluster, which reconnects for ever. While it is down, nothing is sent and nothing is kept
// for later: who publishes is told, and decides. Thread-safe.
//
// What the loop drives is made anew by us after a break, since nats.c's own reconnecting leaves its parser where the
// old connection ended: the rest of a message that was cut off is then taken from the new one (seen up to 3.9).
class NatsConnection {
 public:
  // Called on a thread of the connection's that must not be blocked for long.
  struct Listeners {
    std::function<void()> on_connected;                       // again, after a break
    std::function<void(const std::string&)> on_disconnected;  // with the reason
    // The connection ended for good, since the server refuses us: reconnecting has no sense.
    std::function<void(const absl::Status&)> on_closed;
  };
  using Headers = std::vector<std::pair<const char*, std::string>>;
  using OnMessage = std::function<void(NatsMessage)>;

  // A subscription; destroying it waits until its function is not running and will not run.
  class Subscription {
   public:
    virtual ~Subscription() = default;
  };

  // Tries for up to `limit`. Blocks. Errors: UNAVAILABLE when no server can be reached, FAILED_PRECONDITION when one
  // refuses us, with what to do.
  static absl::StatusOr<std::unique_ptr<NatsConnection>> Connect(const NatsServers& servers, absl::Duration limit,
                                                                 Random& random, Listeners listeners);

  // Every subscription must be gone.
  ~NatsConnection();

  NatsConnection(const NatsConnection&) = delete;
  NatsConnection& operator=(const NatsConnection&) = delete;

  // Sends one message; `reply` may be empty. Header values must hold no line break. With TLS it may block while the
  // socket is full, at most for two seconds; without, what does not go out yet is kept. Errors: UNAVAILABLE when there
  // is no connection, RESOURCE_EXHAUSTED when the message is larger than the server takes.
  absl::Status Publish(const std::string& subject, const std::string& reply, const Headers& headers,
                       absl::string_view data);

  // `on_message` is called on a thread of its own, message by message.
  absl::StatusOr<std::unique_ptr<Subscription>> Subscribe(const std::string& subject, OnMessage on_message);

  // As Subscribe, for what comes in bulk: everything is called on the loop's thread.
  absl::StatusOr<std::unique_ptr<Subscription>> SubscribeOnLoop(const std::string& subject,
                                                                NatsLoop::Receiver receiver);

  // The thread that this connection is driven by.
  NatsLoop& loop() { return loop_; }

  bool connected() const { return connected_; }

  // Goes to another server, where one is known: this one answers us, but is of no use. With TLS nothing happens.
  void LeaveServer();

  // From now on the listeners are called; before, nothing is told.
  void StartTelling();

  // After it returns no listener is running, and none will run.
  void StopTelling();

  // The largest message that the server takes, headers included.
  size_t max_payload() const;

  // A subject that nobody else uses.
  static std::string NewInbox();

 private:
  // One connection of nats.c.
  struct Link {
    explicit Link(NatsConnection& of) : owner(of) {}
    ~Link() { natsConnection_Destroy(connection); }
    Link(const Link&) = delete;
    Link& operator=(const Link&) = delete;

    NatsConnection& owner;
    natsConnection* connection = nullptr;
    std::string server;  // host:port
    bool over = false;   // nats.c closed it, for `reason`; both under the owner's mutex_
    std::string reason;
  };
  class RegisteredSubscription;

  NatsConnection(Random& random, Listeners listeners) : random_(random), listeners_(std::move(listeners)) {}

  absl::Status Configure(const NatsServers& servers);
  void ListenTo(Link& link);
  int64_t ReconnectDelayMs(int attempts);
  std::shared_ptr<Link> link() const ABSL_LOCKS_EXCLUDED(mutex_);
  void OnClosed(Link& link) ABSL_LOCKS_EXCLUDED(mutex_);
  template <typename Listener, typename... Arguments>
  void Tell(const Listener& listener, const Arguments&... arguments) ABSL_LOCKS_EXCLUDED(telling_);

  // Of the reconnecting thread.
  void KeepConnected() ABSL_LOCKS_EXCLUDED(mutex_);
  // Null: the connection is destroyed, or every server refused us.
  std::shared_ptr<Link> Reconnect(const std::string& lost_server) ABSL_LOCKS_EXCLUDED(mutex_);
  void NoteServers(Link& link);

  absl::StatusOr<std::unique_ptr<Subscription>> Register(std::unique_ptr<NatsSubscription> subscription)
      ABSL_LOCKS_EXCLUDED(registering_);
  void Forget(const NatsSubscription* subscription) ABSL_LOCKS_EXCLUDED(registering_);
  // On the loop's thread.
  void Adopt(std::shared_ptr<Link> next) ABSL_LOCKS_EXCLUDED(registering_, mutex_);

  Random& random_;
  const Listeners listeners_;
  std::atomic<bool> connected_{false};
  std::atomic<bool> has_another_{false};  // another server is known
  absl::Mutex telling_;
  bool silent_ ABSL_GUARDED_BY(telling_) = true;
  bool driven_ = false;               // by the loop; else by nats.c's own threads
  std::vector<std::string> servers_;  // with their users; of the reconnecting thread
  std::unique_ptr<natsOptions, void (*)(natsOptions*)> options_{nullptr, natsOptions_Destroy};  // likewise
  mutable absl::Mutex mutex_;
  std::shared_ptr<Link> link_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Mutex registering_;
  std::vector<NatsSubscription*> subscriptions_ ABSL_GUARDED_BY(registering_);
  NatsLoop loop_;
  std::thread reconnecting_;
};

// NATS' words for a status.
absl::Status NatsError(natsStatus status, absl::string_view what);

}  // namespace aulm::gateway
