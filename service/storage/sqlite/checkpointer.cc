#include "service/storage/sqlite/checkpointer.h"

#include <pthread.h>

#include <chrono>
#include <utility>

namespace aulm::gateway {

absl::StatusOr<std::unique_ptr<Checkpointer>> Checkpointer::Open(const std::string& file) {
  absl::StatusOr<Connection> connection = Connection::Open(file, Connection::Use::kCheckpoints);
  if (!connection.ok()) return connection.status();
  return std::unique_ptr<Checkpointer>(new Checkpointer(*std::move(connection)));
}

Checkpointer::Checkpointer(Connection connection) : connection_(std::move(connection)) {}

Checkpointer::~Checkpointer() { Stop(); }

void Checkpointer::Start(std::function<void()> ended) {
  ended_ = std::move(ended);
  thread_ = std::thread([this] { Run(); });
}

void Checkpointer::Begin() {
  absl::MutexLock lock(&mutex_);
  if (state_ != State::kIdle || stopping_) return;
  state_ = State::kAsked;
  asked_.Signal();
}

bool Checkpointer::busy() const {
  absl::MutexLock lock(&mutex_);
  return state_ != State::kIdle;
}

std::optional<Checkpointer::Result> Checkpointer::TakeResult() {
  absl::MutexLock lock(&mutex_);
  if (state_ != State::kEnded) return std::nullopt;
  state_ = State::kIdle;
  return std::move(result_);
}

void Checkpointer::Stop() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
    asked_.Signal();
  }
  if (thread_.joinable()) thread_.join();
}

void Checkpointer::Run() {
  pthread_setname_np(pthread_self(), "store_checkpt");
  while (true) {
    {
      absl::MutexLock lock(&mutex_);
      while (state_ != State::kAsked && !stopping_) asked_.Wait(&mutex_);
      if (state_ != State::kAsked) return;
    }
    const auto begun = std::chrono::steady_clock::now();
    const absl::StatusOr<bool> whole = connection_.Checkpoint();
    const absl::Duration took = absl::FromChrono(std::chrono::steady_clock::now() - begun);
    {
      absl::MutexLock lock(&mutex_);
      result_ = {whole.status(), took};
      state_ = State::kEnded;
    }
    ended_();
  }
}

}  // namespace aulm::gateway
