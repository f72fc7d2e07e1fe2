#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "service/storage/sqlite/connection.h"

namespace aulm::gateway {

// Checkpoints on a thread and a connection of its own, so that no commit waits for them: SQLite lets commits go on
// meanwhile. What they add is left for the writer, who copies it himself: only when everything was copied, and nothing
// came since, does the write-ahead log begin anew. Thread-safe.
class Checkpointer {
 public:
  // A checkpoint that ended.
  struct Result {
    absl::Status status;
    absl::Duration took;
  };

  // Errors: those of SqliteStatus.
  static absl::StatusOr<std::unique_ptr<Checkpointer>> Open(const std::string& file);
  // Lets a checkpoint that is under way end.
  ~Checkpointer();

  Checkpointer(const Checkpointer&) = delete;
  Checkpointer& operator=(const Checkpointer&) = delete;

  // `ended` is called on the checkpointer's thread after each checkpoint. Once, before Begin.
  void Start(std::function<void()> ended);

  // Begins a checkpoint, unless one is under way or has ended and was not taken.
  void Begin();

  // Whether one is under way, or has ended and was not taken.
  bool busy() const;

  // What the last checkpoint came to, once; nothing while there is none.
  std::optional<Result> TakeResult();

  // Ends the thread; what is under way ends first, and can be taken. Begin does nothing afterwards.
  void Stop();

 private:
  enum class State { kIdle, kAsked, kEnded };

  explicit Checkpointer(Connection connection);

  void Run();

  Connection connection_;  // of the thread's
  std::function<void()> ended_;
  mutable absl::Mutex mutex_;
  State state_ ABSL_GUARDED_BY(mutex_) = State::kIdle;
  Result result_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  absl::CondVar asked_;
  std::thread thread_;
};

}  // namespace aulm::gateway
