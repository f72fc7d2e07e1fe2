#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace aulm::gateway {

// A layer over SQLite's own file system that can lose its power: what was written and not synced by then is kept, lost
// or torn at sectors of 512 bytes, each write for itself. The default one for every connection opened while it exists
// (one at a time, and longer than those connections). Thread-safe.
class PowerLossVfs {
 public:
  enum class Synchronous {
    kAsAsked,
    kNormal,  // whatever a connection asks for: `PRAGMA synchronous=NORMAL`
  };

  explicit PowerLossVfs(Synchronous synchronous);
  ~PowerLossVfs();

  PowerLossVfs(const PowerLossVfs&) = delete;
  PowerLossVfs& operator=(const PowerLossVfs&) = delete;

  // The power goes after this many further writes, truncations and syncs: they fail from then on.
  void CutAfter(int operations);

  // Leaves on the disk what a loss of power might, where it was cut or else now. Every connection must be closed; then
  // the power is back.
  void LosePower(std::mt19937& random);

 private:
  friend struct PowerLossFile;

  // A write that was not synced, or (with no bytes) a truncation to `offset`.
  struct Change {
    sqlite3_int64 offset;
    std::string bytes;
  };
  struct File {
    std::string durable;  // its content as of the last sync
    std::vector<Change> changes;
  };

  static int Open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* out_flags);
  static int Delete(sqlite3_vfs* vfs, const char* name, int sync_folder);

  // False once the power is off.
  bool Spend() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool NoteChange(const std::string& path, sqlite3_int64 offset, std::string bytes);
  bool NoteSync(const std::string& path);

  // What SQLite knows of us, with the way back from it.
  struct Registration : sqlite3_vfs {
    PowerLossVfs* owner;
  };

  const Synchronous synchronous_;
  sqlite3_vfs* const real_;
  Registration vfs_;

  absl::Mutex mutex_;
  std::map<std::string, File> files_ ABSL_GUARDED_BY(mutex_);  // the database and its write-ahead log, by path
  int left_ ABSL_GUARDED_BY(mutex_) = INT32_MAX;               // operations until the power goes
};

}  // namespace aulm::gateway
