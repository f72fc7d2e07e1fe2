#include "tests/support/power_loss_vfs.h"

#include <algorithm>
#include <cstring>
#include <fstream>
#include <iterator>
#include <utility>

namespace aulm::gateway {

// What SQLite sees of an open file; the real one lies right behind it.
struct PowerLossFile {
  sqlite3_file base;
  PowerLossVfs* vfs;
  const std::string* path;  // a key of files_; null: a file that need not survive

  static PowerLossFile& Of(sqlite3_file* file) { return *reinterpret_cast<PowerLossFile*>(file); }
  static sqlite3_file* Real(sqlite3_file* file) {
    return reinterpret_cast<sqlite3_file*>(reinterpret_cast<PowerLossFile*>(file) + 1);
  }

  static int Close(sqlite3_file* file) { return Real(file)->pMethods->xClose(Real(file)); }
  static int Read(sqlite3_file* file, void* to, int bytes, sqlite3_int64 offset) {
    return Real(file)->pMethods->xRead(Real(file), to, bytes, offset);
  }

  static int Write(sqlite3_file* file, const void* from, int bytes, sqlite3_int64 offset) {
    PowerLossFile& self = Of(file);
    std::string written(static_cast<const char*>(from), static_cast<size_t>(bytes));
    if (self.path != nullptr && !self.vfs->NoteChange(*self.path, offset, std::move(written))) {
      return SQLITE_IOERR_WRITE;
    }
    return Real(file)->pMethods->xWrite(Real(file), from, bytes, offset);
  }

  static int Truncate(sqlite3_file* file, sqlite3_int64 size) {
    PowerLossFile& self = Of(file);
    if (self.path != nullptr && !self.vfs->NoteChange(*self.path, size, "")) return SQLITE_IOERR_TRUNCATE;
    return Real(file)->pMethods->xTruncate(Real(file), size);
  }

  // Nothing real is synced: the power of this machine stays on, and the test is quicker.
  static int Sync(sqlite3_file* file, int) {
    PowerLossFile& self = Of(file);
    return self.path == nullptr || self.vfs->NoteSync(*self.path) ? SQLITE_OK : SQLITE_IOERR_FSYNC;
  }

  static int FileSize(sqlite3_file* file, sqlite3_int64* size) {
    return Real(file)->pMethods->xFileSize(Real(file), size);
  }
  static int Lock(sqlite3_file* file, int lock) { return Real(file)->pMethods->xLock(Real(file), lock); }
  static int Unlock(sqlite3_file* file, int lock) { return Real(file)->pMethods->xUnlock(Real(file), lock); }
  static int CheckReservedLock(sqlite3_file* file, int* held) {
    return Real(file)->pMethods->xCheckReservedLock(Real(file), held);
  }

  static int FileControl(sqlite3_file* file, int operation, void* argument) {
    if (operation == SQLITE_FCNTL_PRAGMA && Of(file).vfs->synchronous_ == PowerLossVfs::Synchronous::kNormal) {
      const char* const* const pragma = static_cast<char**>(argument);
      // Taken as done, and not done: the connection stays NORMAL, as Weaken made it.
      if (std::strcmp(pragma[1], "synchronous") == 0 && pragma[2] != nullptr && std::strcmp(pragma[2], "FULL") == 0) {
        return SQLITE_OK;
      }
    }
    return Real(file)->pMethods->xFileControl(Real(file), operation, argument);
  }

  static int SectorSize(sqlite3_file* file) { return Real(file)->pMethods->xSectorSize(Real(file)); }
  static int DeviceCharacteristics(sqlite3_file* file) {
    return Real(file)->pMethods->xDeviceCharacteristics(Real(file));
  }
  static int ShmMap(sqlite3_file* file, int page, int page_size, int extend, void volatile** memory) {
    return Real(file)->pMethods->xShmMap(Real(file), page, page_size, extend, memory);
  }
  static int ShmLock(sqlite3_file* file, int offset, int count, int flags) {
    return Real(file)->pMethods->xShmLock(Real(file), offset, count, flags);
  }
  static void ShmBarrier(sqlite3_file* file) { Real(file)->pMethods->xShmBarrier(Real(file)); }
  static int ShmUnmap(sqlite3_file* file, int remove) { return Real(file)->pMethods->xShmUnmap(Real(file), remove); }
};

namespace {

constexpr size_t kSector = 512;

// Version 2: with shared memory, without memory-mapped access, which would be seen by nobody.
constexpr sqlite3_io_methods kMethods = {
    .iVersion = 2,
    .xClose = PowerLossFile::Close,
    .xRead = PowerLossFile::Read,
    .xWrite = PowerLossFile::Write,
    .xTruncate = PowerLossFile::Truncate,
    .xSync = PowerLossFile::Sync,
    .xFileSize = PowerLossFile::FileSize,
    .xLock = PowerLossFile::Lock,
    .xUnlock = PowerLossFile::Unlock,
    .xCheckReservedLock = PowerLossFile::CheckReservedLock,
    .xFileControl = PowerLossFile::FileControl,
    .xSectorSize = PowerLossFile::SectorSize,
    .xDeviceCharacteristics = PowerLossFile::DeviceCharacteristics,
    .xShmMap = PowerLossFile::ShmMap,
    .xShmLock = PowerLossFile::ShmLock,
    .xShmBarrier = PowerLossFile::ShmBarrier,
    .xShmUnmap = PowerLossFile::ShmUnmap,
    .xFetch = nullptr,
    .xUnfetch = nullptr,
};

// Run by SQLite for each new connection.
int Weaken(sqlite3* db, char**, const sqlite3_api_routines*) {
  return sqlite3_exec(db, "PRAGMA synchronous=NORMAL", nullptr, nullptr, nullptr);
}
const auto kWeaken = reinterpret_cast<void (*)()>(&Weaken);

void Put(std::string& content, size_t offset, const char* bytes, size_t size) {
  if (content.size() < offset + size) content.resize(offset + size);
  content.replace(offset, size, bytes, size);
}

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
}

}  // namespace

PowerLossVfs::PowerLossVfs(Synchronous synchronous)
    : synchronous_(synchronous), real_(sqlite3_vfs_find(nullptr)), vfs_{{*real_}, this} {
  // A copy of the real one: its other functions are kept, and find their own data in it.
  vfs_.zName = "power_loss";
  vfs_.pNext = nullptr;
  vfs_.szOsFile = static_cast<int>(sizeof(PowerLossFile)) + real_->szOsFile;
  vfs_.xOpen = &PowerLossVfs::Open;
  vfs_.xDelete = &PowerLossVfs::Delete;
  sqlite3_vfs_register(&vfs_, /*makeDflt=*/1);
  if (synchronous_ == Synchronous::kNormal) sqlite3_auto_extension(kWeaken);
}

PowerLossVfs::~PowerLossVfs() {
  sqlite3_cancel_auto_extension(kWeaken);
  sqlite3_vfs_unregister(&vfs_);
  sqlite3_vfs_register(real_, /*makeDflt=*/1);
}

void PowerLossVfs::CutAfter(int operations) {
  absl::MutexLock lock(&mutex_);
  left_ = operations;
}

void PowerLossVfs::LosePower(std::mt19937& random) {
  absl::MutexLock lock(&mutex_);
  const auto one_of = [&](uint32_t count) { return random() % count; };
  for (auto& [path, file] : files_) {
    std::string content = std::move(file.durable);
    for (const Change& change : file.changes) {
      const uint32_t fate = one_of(3);
      if (fate == 0) continue;
      const size_t offset = static_cast<size_t>(change.offset);
      if (change.bytes.empty()) {
        content.resize(std::min(content.size(), offset));
        continue;
      }
      for (size_t at = 0; at < change.bytes.size(); at += kSector) {
        if (fate == 1 && one_of(2) == 0) continue;  // torn
        Put(content, offset + at, change.bytes.data() + at, std::min(kSector, change.bytes.size() - at));
      }
    }
    std::ofstream(path, std::ios::binary | std::ios::trunc) << content;
    // The index of the write-ahead log is shared memory: gone.
    std::remove((path.substr(0, path.rfind("-wal")) + "-shm").c_str());
  }
  files_.clear();
  left_ = INT32_MAX;
}

int PowerLossVfs::Open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  PowerLossVfs* const self = static_cast<Registration*>(vfs)->owner;
  file->pMethods = nullptr;
  PowerLossFile& opened = PowerLossFile::Of(file);
  opened.vfs = self;
  opened.path = nullptr;
  if ((flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL)) != 0) {
    absl::MutexLock lock(&self->mutex_);
    const auto [entry, is_new] = self->files_.try_emplace(name);
    if (is_new) entry->second.durable = ReadFile(name);
    opened.path = &entry->first;
  }
  const int code = self->real_->xOpen(self->real_, name, PowerLossFile::Real(file), flags, out_flags);
  if (code == SQLITE_OK) file->pMethods = &kMethods;
  return code;
}

int PowerLossVfs::Delete(sqlite3_vfs* vfs, const char* name, int sync_folder) {
  PowerLossVfs* const self = static_cast<Registration*>(vfs)->owner;
  {
    absl::MutexLock lock(&self->mutex_);
    if (!self->Spend()) return SQLITE_IOERR_DELETE;
    if (const auto file = self->files_.find(name); file != self->files_.end()) file->second = File();
  }
  return self->real_->xDelete(self->real_, name, sync_folder);
}

bool PowerLossVfs::Spend() { return left_ > 0 && left_-- > 0; }

bool PowerLossVfs::NoteChange(const std::string& path, sqlite3_int64 offset, std::string bytes) {
  absl::MutexLock lock(&mutex_);
  if (left_ <= 0) return false;
  --left_;
  files_.at(path).changes.push_back({offset, std::move(bytes)});
  return true;
}

bool PowerLossVfs::NoteSync(const std::string& path) {
  absl::MutexLock lock(&mutex_);
  if (!Spend()) return false;
  File& file = files_.at(path);
  for (const Change& change : file.changes) {
    const size_t offset = static_cast<size_t>(change.offset);
    if (change.bytes.empty()) {
      file.durable.resize(std::min(file.durable.size(), offset));
    } else {
      Put(file.durable, offset, change.bytes.data(), change.bytes.size());
    }
  }
  file.changes.clear();
  return true;
}

}  // namespace aulm::gateway
