#include "tests/support/fault_vfs.h"

namespace aulm::gateway {

// What SQLite sees of an open file; the real one lies right behind it.
struct FaultFile {
  sqlite3_file base;
  FaultVfs* vfs;

  static FaultVfs& Vfs(sqlite3_file* file) { return *reinterpret_cast<FaultFile*>(file)->vfs; }
  static sqlite3_file* Real(sqlite3_file* file) {
    return reinterpret_cast<sqlite3_file*>(reinterpret_cast<FaultFile*>(file) + 1);
  }
  static int Meet(sqlite3_file* file, FaultVfs::Operation operation) { return Vfs(file).Meet(operation); }

  static int Close(sqlite3_file* file) { return Real(file)->pMethods->xClose(Real(file)); }

  static int Read(sqlite3_file* file, void* to, int bytes, sqlite3_int64 offset) {
    if (const int code = Meet(file, FaultVfs::kRead); code != SQLITE_OK) return code;
    return Real(file)->pMethods->xRead(Real(file), to, bytes, offset);
  }

  static int Write(sqlite3_file* file, const void* from, int bytes, sqlite3_int64 offset) {
    sqlite3_int64 size = 0;
    Real(file)->pMethods->xFileSize(Real(file), &size);
    int code = Meet(file, FaultVfs::kWrite);
    if (code == SQLITE_OK && offset + bytes > size) code = Meet(file, FaultVfs::kGrow);
    if (code != SQLITE_OK) {
      Real(file)->pMethods->xWrite(Real(file), from, bytes / 2, offset);
      return code;
    }
    return Real(file)->pMethods->xWrite(Real(file), from, bytes, offset);
  }

  static int Truncate(sqlite3_file* file, sqlite3_int64 size) {
    if (const int code = Meet(file, FaultVfs::kTruncate); code != SQLITE_OK) return code;
    return Real(file)->pMethods->xTruncate(Real(file), size);
  }

  static int Sync(sqlite3_file* file, int flags) {
    if (const int code = Meet(file, FaultVfs::kSync); code != SQLITE_OK) return code;
    return Real(file)->pMethods->xSync(Real(file), flags);
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
    return Real(file)->pMethods->xFileControl(Real(file), operation, argument);
  }
  static int SectorSize(sqlite3_file* file) { return Real(file)->pMethods->xSectorSize(Real(file)); }
  static int DeviceCharacteristics(sqlite3_file* file) {
    return Real(file)->pMethods->xDeviceCharacteristics(Real(file));
  }

  static int ShmMap(sqlite3_file* file, int page, int page_size, int extend, void volatile** memory) {
    if (extend != 0) {
      if (const int code = Meet(file, FaultVfs::kSharedMemory); code != SQLITE_OK) return code;
    }
    return Real(file)->pMethods->xShmMap(Real(file), page, page_size, extend, memory);
  }
  static int ShmLock(sqlite3_file* file, int offset, int count, int flags) {
    return Real(file)->pMethods->xShmLock(Real(file), offset, count, flags);
  }
  static void ShmBarrier(sqlite3_file* file) { Real(file)->pMethods->xShmBarrier(Real(file)); }
  static int ShmUnmap(sqlite3_file* file, int remove) { return Real(file)->pMethods->xShmUnmap(Real(file), remove); }
};

namespace {

// Version 2: with shared memory, without memory-mapped reads, which could not fail.
constexpr sqlite3_io_methods kMethods = {
    .iVersion = 2,
    .xClose = FaultFile::Close,
    .xRead = FaultFile::Read,
    .xWrite = FaultFile::Write,
    .xTruncate = FaultFile::Truncate,
    .xSync = FaultFile::Sync,
    .xFileSize = FaultFile::FileSize,
    .xLock = FaultFile::Lock,
    .xUnlock = FaultFile::Unlock,
    .xCheckReservedLock = FaultFile::CheckReservedLock,
    .xFileControl = FaultFile::FileControl,
    .xSectorSize = FaultFile::SectorSize,
    .xDeviceCharacteristics = FaultFile::DeviceCharacteristics,
    .xShmMap = FaultFile::ShmMap,
    .xShmLock = FaultFile::ShmLock,
    .xShmBarrier = FaultFile::ShmBarrier,
    .xShmUnmap = FaultFile::ShmUnmap,
    .xFetch = nullptr,
    .xUnfetch = nullptr,
};

}  // namespace

FaultVfs::FaultVfs() : real_(sqlite3_vfs_find(nullptr)), vfs_{{*real_}, this} {
  // A copy of the real one: its other functions are kept, and find their own data in it.
  vfs_.zName = "fault";
  vfs_.pNext = nullptr;
  vfs_.szOsFile = static_cast<int>(sizeof(FaultFile)) + real_->szOsFile;
  vfs_.xOpen = &FaultVfs::Open;
  sqlite3_vfs_register(&vfs_, /*makeDflt=*/1);
}

FaultVfs::~FaultVfs() {
  sqlite3_vfs_unregister(&vfs_);
  sqlite3_vfs_register(real_, /*makeDflt=*/1);
}

int FaultVfs::Open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  FaultVfs* const self = static_cast<Registration*>(vfs)->owner;
  file->pMethods = nullptr;
  if (self->Meet(kOpen) != SQLITE_OK) return SQLITE_CANTOPEN;
  FaultFile* const opened = reinterpret_cast<FaultFile*>(file);
  opened->vfs = self;
  const int code = self->real_->xOpen(self->real_, name, FaultFile::Real(file), flags, out_flags);
  if (code == SQLITE_OK) file->pMethods = &kMethods;
  return code;
}

int FaultVfs::Meet(Operation operation) {
  absl::MutexLock lock(&mutex_);
  if ((held_ & operation) != 0) {
    ++waiting_;
    const auto released = [this, operation]()
                              ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return (held_ & operation) == 0; };
    mutex_.Await(absl::Condition(&released));
    --waiting_;
  }
  if ((failing_ & operation) == 0) return SQLITE_OK;
  if (good_ > 0) {
    --good_;
    return SQLITE_OK;
  }
  if (bad_ == 0) return SQLITE_OK;
  if (bad_ != kForever) --bad_;
  ++failures_;
  return code_;
}

void FaultVfs::Fail(uint32_t operations, int code, int good, int bad) {
  absl::MutexLock lock(&mutex_);
  failing_ = operations;
  code_ = code;
  good_ = good;
  bad_ = bad;
  failures_ = 0;
}

void FaultVfs::Heal() {
  absl::MutexLock lock(&mutex_);
  failing_ = 0;
}

int FaultVfs::failures() const {
  absl::MutexLock lock(&mutex_);
  return failures_;
}

void FaultVfs::Hold(uint32_t operations, bool hold) {
  absl::MutexLock lock(&mutex_);
  held_ = hold ? held_ | operations : held_ & ~operations;
}

void FaultVfs::WaitUntilHeld() {
  absl::MutexLock lock(&mutex_);
  const auto is_held = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return waiting_ > 0; };
  mutex_.Await(absl::Condition(&is_held));
}

}  // namespace aulm::gateway
