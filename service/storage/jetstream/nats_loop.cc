#include "service/storage/jetstream/nats_loop.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace aulm::gateway {
namespace {

// Tasks and messages of one round that are many; who is served alone makes one or two.
constexpr size_t kMany = 8;
constexpr absl::Duration kPause = absl::Microseconds(100);

}  // namespace

NatsLoop::NatsLoop() : wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)), thread_([this] { Run(); }) {}

NatsLoop::~NatsLoop() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
    Wake();
  }
  thread_.join();
  close(wake_);
}

natsStatus NatsLoop::Drive(natsOptions* options) {
  // Without a flusher of its own, which would wait a millisecond before each write.
  const natsStatus status = natsOptions_SetSendAsap(options, true);
  if (status != NATS_OK) return status;
  return natsOptions_SetEventLoop(
      options, this,
      [](void** self, void* loop, natsConnection* connection, natsSock socket) {
        auto* const driven = new Driven{static_cast<NatsLoop*>(loop), connection};
        *self = driven;
        driven->loop->Attach(connection, socket);
        return NATS_OK;
      },
      [](void* self, bool add) {
        const auto& driven = *static_cast<Driven*>(self);
        driven.loop->WantRead(driven, add);
        return NATS_OK;
      },
      [](void* self, bool add) {
        const auto& driven = *static_cast<Driven*>(self);
        driven.loop->WantWrite(driven, add);
        return NATS_OK;
      },
      [](void* self) {
        const std::unique_ptr<const Driven> driven(static_cast<Driven*>(self));
        driven->loop->Detach(*driven);
        return NATS_OK;
      });
}

void NatsLoop::Break() {
  absl::MutexLock lock(&mutex_);
  // nats.c has us forget the socket before it closes it.
  if (socket_ != -1) shutdown(socket_, SHUT_RDWR);
}

void NatsLoop::Post(Task task) {
  absl::MutexLock lock(&mutex_);
  tasks_.push_back(std::move(task));
  Wake();
}

void NatsLoop::Flush() {
  absl::Notification done;
  Post([&done] { done.Notify(); });
  done.WaitForNotification();
}

void NatsLoop::Add(natsSubscription* subscription, Receiver receiver) {
  auto source = std::make_shared<Source>(Source{subscription, std::move(receiver)});
  if (IsHere()) {
    sources_.push_back(std::move(source));
    return;
  }
  Post([this, source = std::move(source)]() mutable {
    sources_.push_back(std::move(source));
    HandOver();  // what came before
  });
}

void NatsLoop::Remove(natsSubscription* subscription) {
  const auto remove = [this, subscription] {
    const auto found = std::find_if(
        sources_.begin(), sources_.end(),
        [subscription](const std::shared_ptr<Source>& source) { return source->subscription == subscription; });
    if (found == sources_.end()) return;
    (*found)->removed = true;
    sources_.erase(found);
  };
  if (IsHere()) return remove();
  Post(remove);
  Flush();
}

void NatsLoop::Attach(natsConnection* connection, int socket) {
  absl::MutexLock lock(&mutex_);
  connection_ = connection;
  socket_ = socket;
  Wake();
}

void NatsLoop::WantRead(const Driven& driven, bool want) {
  absl::MutexLock lock(&mutex_);
  if (driven.connection != connection_) return;
  if (!want) socket_ = -1;
  Wake();
}

void NatsLoop::WantWrite(const Driven& driven, bool want) {
  absl::MutexLock lock(&mutex_);
  if (driven.connection != connection_) return;
  write_ = want;
  if (want) Wake();
}

void NatsLoop::Detach(const Driven& driven) {
  absl::MutexLock lock(&mutex_);
  if (driven.connection != connection_) return;
  connection_ = nullptr;
  socket_ = -1;
  write_ = false;
}

void NatsLoop::Wake() {
  if (!waiting_) return;
  waiting_ = false;
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = write(wake_, &one, sizeof(one));
}

void NatsLoop::Run() {
  pthread_setname_np(pthread_self(), "nats");
  std::vector<Task> tasks;
  while (true) {
    {
      absl::MutexLock lock(&mutex_);
      if (tasks_.empty() && stopping_) return;
      tasks.swap(tasks_);
    }
    for (Task& task : tasks) std::move(task)();
    handled_ += tasks.size();
    tasks.clear();
    Write();
    // Under load a pause costs less than it saves: what comes meanwhile, here and at the server, is one read and one
    // write rather than many.
    if (std::exchange(handled_, 0) >= kMany) absl::SleepFor(kPause);
    WaitAndRead();
  }
}

void NatsLoop::Write() {
  natsConnection* connection;
  {
    absl::MutexLock lock(&mutex_);
    if (!write_) return;
    connection = connection_;
  }
  // What does not fit into the socket now is sent when it can be written to again.
  if (connection != nullptr) natsConnection_ProcessWriteEvent(connection);
}

void NatsLoop::WaitAndRead() {
  std::array<pollfd, 2> files = {{{wake_, POLLIN, 0}, {-1, 0, 0}}};
  natsConnection* connection;
  {
    absl::MutexLock lock(&mutex_);
    waiting_ = tasks_.empty() && !stopping_;
    connection = connection_;
    files[1].fd = socket_;
    files[1].events = static_cast<int16_t>(POLLIN | (write_ ? POLLOUT : 0));
    if (!waiting_) files[0].fd = -1;
  }
  poll(files.data(), files.size(), files[0].fd == -1 ? 0 : -1);
  if (files[0].revents != 0) {
    uint64_t count;
    [[maybe_unused]] const ssize_t taken = read(wake_, &count, sizeof(count));
  }
  {
    absl::MutexLock lock(&mutex_);
    waiting_ = false;
    if (connection != connection_ || socket_ == -1) return;
  }
  if ((files[1].revents & ~POLLOUT) == 0) return;
  natsConnection_ProcessReadEvent(connection);
  HandOver();
}

void NatsLoop::HandOver() {
  // A copy: what is handed over may add and remove sources.
  const std::vector<std::shared_ptr<Source>> sources = sources_;
  for (const std::shared_ptr<Source>& source : sources) {
    while (!source->removed) {
      natsMsg* message = nullptr;
      const natsStatus status = natsSubscription_NextMsg(&message, source->subscription, 0);
      if (status == NATS_OK) {
        ++handled_;
        source->receiver.on_message(NatsMessage(message));
      } else if (status == NATS_NO_RESPONDERS) {
        source->receiver.on_nobody();
      } else {
        break;
      }
    }
  }
}

}  // namespace aulm::gateway
