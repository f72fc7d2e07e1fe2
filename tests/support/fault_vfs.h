#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"

namespace aulm::gateway {

// A layer over SQLite's own file system that fails or stops when a test says so: the default one for every connection
// opened while it exists (one at a time, and longer than those connections). Thread-safe.
class FaultVfs {
 public:
  // What can fail, as bits.
  enum Operation : uint32_t {
    kRead = 1,
    kWrite = 2,
    kSync = 4,
    kTruncate = 8,
    kOpen = 16,
    kSharedMemory = 32,  // growing the index of the write-ahead log
    kGrow = 64,          // a write beyond the end of the file, which a full disk refuses, others going on
  };

  static constexpr int kForever = -1;

  FaultVfs();
  ~FaultVfs();

  FaultVfs(const FaultVfs&) = delete;
  FaultVfs& operator=(const FaultVfs&) = delete;

  // From now on the operations named count; after `good` of them, the next `bad` ones fail with `code` (an extended
  // result code of SQLite's). A failing write leaves half of its bytes behind, as a full disk may. Replaces what was
  // set.
  void Fail(uint32_t operations, int code, int good = 0, int bad = kForever);

  // Nothing fails any more.
  void Heal();

  // How many operations have failed since the last Fail.
  int failures() const;

  // From now on (true) operations named wait until Hold(…, false); WaitUntilHeld waits until one does.
  void Hold(uint32_t operations, bool hold);
  void WaitUntilHeld();

 private:
  friend struct FaultFile;

  // What an operation is to do: SQLITE_OK, or the code to fail with. May wait.
  int Meet(Operation operation);

  static int Open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* out_flags);

  // What SQLite knows of us, with the way back from it.
  struct Registration : sqlite3_vfs {
    FaultVfs* owner;
  };

  sqlite3_vfs* const real_;
  Registration vfs_;

  mutable absl::Mutex mutex_;
  uint32_t failing_ ABSL_GUARDED_BY(mutex_) = 0;
  int code_ ABSL_GUARDED_BY(mutex_) = SQLITE_OK;
  int good_ ABSL_GUARDED_BY(mutex_) = 0;
  int bad_ ABSL_GUARDED_BY(mutex_) = 0;
  int failures_ ABSL_GUARDED_BY(mutex_) = 0;
  uint32_t held_ ABSL_GUARDED_BY(mutex_) = 0;
  int waiting_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace aulm::gateway
