#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/synchronization/mutex.h"
#include "nats/nats.h"
#include "service/storage/jetstream/nats_message.h"

namespace aulm::gateway {

// The thread of a NATS connection and of the log on it. It reads what the socket has, hands it over, runs what was
// posted, and sends whatever all of that published in one write: no step of an append changes threads, and the more is
// under way, the more one read and one write carry. With TLS nats.c can block in a read from outside, so then it keeps
// its own threads, and this one runs what is posted.
class NatsLoop {
 public:
  using Task = absl::AnyInvocable<void() &&>;

  // What came for one subscription. Everything is called on the loop's thread.
  struct Receiver {
    std::function<void(NatsMessage)> on_message;
    // The server says that nobody listens to what was asked; in bulk it does not say what that was.
    std::function<void()> on_nobody;
  };

  NatsLoop();
  // Runs everything that was posted, then ends the thread. The connection is closed by then.
  ~NatsLoop();

  NatsLoop(const NatsLoop&) = delete;
  NatsLoop& operator=(const NatsLoop&) = delete;

  // Has the connections that are made with `options`, one after the other, read and write here.
  natsStatus Drive(natsOptions* options);

  // Ends the driven connection as if the network had. Thread-safe.
  void Break();

  // Runs `task` on the thread, in order. Never blocks. Thread-safe.
  void Post(Task task);

  // Waits until everything posted before has run. Not from a task. Thread-safe.
  void Flush();

  // Whether this is the thread.
  bool IsHere() const { return std::this_thread::get_id() == thread_.get_id(); }

  // Hands over what comes for `subscription`, a synchronous one of the driven connection, until Remove, after which
  // `receiver` is not running and will not run. Thread-safe.
  void Add(natsSubscription* subscription, Receiver receiver);
  void Remove(natsSubscription* subscription);

 private:
  struct Source {
    natsSubscription* subscription;
    Receiver receiver;
    bool removed = false;
  };

  // A connection as nats.c knows it here. It may say that it is gone after the next one has come.
  struct Driven {
    NatsLoop* loop;
    natsConnection* connection;
  };
  // What nats.c calls, mostly with its connection locked.
  void Attach(natsConnection* connection, int socket);
  void WantRead(const Driven& driven, bool want);
  void WantWrite(const Driven& driven, bool want);
  void Detach(const Driven& driven);

  void Run();
  void Write();
  void WaitAndRead();
  void HandOver();
  void Wake() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const int wake_;                                // an eventfd
  std::vector<std::shared_ptr<Source>> sources_;  // of the thread
  size_t handled_ = 0;                            // tasks and messages of this round; of the thread
  absl::Mutex mutex_;
  std::vector<Task> tasks_ ABSL_GUARDED_BY(mutex_);
  bool waiting_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  natsConnection* connection_ ABSL_GUARDED_BY(mutex_) = nullptr;
  int socket_ ABSL_GUARDED_BY(mutex_) = -1;  // -1: nothing to read
  bool write_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace aulm::gateway
