// Loaded into a gateway under test by LD_PRELOAD: ends it with SIGKILL, or fails one call, at the n-th passing of a
// named point, so that nothing in the gateway knows of tests. The points stand where a promise changes hands: a write
// or sync of the store, an answer to aulm's webhook, a request to aulm, aulm's answer, an answer to a caller.
//
// FAULT_POINT=<name>  one of kPoints
// FAULT_COUNT=<n>     the n-th passing since the start, 1 the first
// FAULT_PORTS=<webhook>,<grpc>,<aulm>  which connection is which
// FAULT_REACHED=<file>  made when that passing comes
// FAULT_SLOW_SYNC_US=<microseconds>  instead: every sync of the write-ahead log takes so much longer
#include <arpa/inet.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>

namespace {

enum class Act { kKillBefore, kKillAfter, kFail };
enum class Where {
  kLogWrite,
  kLogSync,
  kDatabaseWrite,
  kDatabaseSync,
  kWebhook,
  kGrpc,
  kAulmSend,
  kAulmReceive,
  kMemory
};

struct Point {
  const char* name;
  Where where;
  Act act;
  int error;  // of kFail
};

constexpr Point kPoints[] = {
    {"before-log-write", Where::kLogWrite, Act::kKillBefore, 0},
    {"after-log-write", Where::kLogWrite, Act::kKillAfter, 0},
    {"before-log-sync", Where::kLogSync, Act::kKillBefore, 0},
    {"after-log-sync", Where::kLogSync, Act::kKillAfter, 0},
    {"before-database-write", Where::kDatabaseWrite, Act::kKillBefore, 0},
    {"after-database-write", Where::kDatabaseWrite, Act::kKillAfter, 0},
    {"before-database-sync", Where::kDatabaseSync, Act::kKillBefore, 0},
    {"after-database-sync", Where::kDatabaseSync, Act::kKillAfter, 0},
    {"before-webhook-answer", Where::kWebhook, Act::kKillBefore, 0},
    {"after-webhook-answer", Where::kWebhook, Act::kKillAfter, 0},
    {"before-call-answer", Where::kGrpc, Act::kKillBefore, 0},
    {"after-call-answer", Where::kGrpc, Act::kKillAfter, 0},
    {"before-aulm-request", Where::kAulmSend, Act::kKillBefore, 0},
    {"after-aulm-request", Where::kAulmSend, Act::kKillAfter, 0},
    {"before-aulm-answer", Where::kAulmReceive, Act::kKillBefore, 0},
    {"after-aulm-answer", Where::kAulmReceive, Act::kKillAfter, 0},
    {"log-write-eio", Where::kLogWrite, Act::kFail, EIO},
    {"log-write-enospc", Where::kLogWrite, Act::kFail, ENOSPC},
    {"log-sync-eio", Where::kLogSync, Act::kFail, EIO},
    {"database-write-enospc", Where::kDatabaseWrite, Act::kFail, ENOSPC},
    {"no-memory", Where::kMemory, Act::kFail, ENOMEM},
};

const Point* point = nullptr;
int ports[3] = {};  // webhook, gRPC, aulm
std::atomic<long> left{LONG_MAX};
useconds_t slow_sync_us = 0;

__attribute__((constructor)) void Arm() {
  if (const char* const slow = getenv("FAULT_SLOW_SYNC_US")) slow_sync_us = static_cast<useconds_t>(atol(slow));
  const char* const name = getenv("FAULT_POINT");
  const char* const count = getenv("FAULT_COUNT");
  if (name == nullptr || count == nullptr) return;
  if (const char* const given = getenv("FAULT_PORTS")) sscanf(given, "%d,%d,%d", &ports[0], &ports[1], &ports[2]);
  left = atol(count);
  for (const Point& each : kPoints) {
    if (strcmp(each.name, name) == 0) point = &each;
  }
}

// True when this passing is the one.
bool Due(Where where) {
  if (point == nullptr || point->where != where || left.fetch_sub(1, std::memory_order_relaxed) != 1) return false;
  if (const char* const file = getenv("FAULT_REACHED")) close(open(file, O_CREAT | O_WRONLY, 0600));
  return true;
}

[[noreturn]] void Die() {
  kill(getpid(), SIGKILL);
  while (true) pause();
}

template <typename Function>
Function* Next(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

// Runs a call through its point.
template <typename Call>
auto Pass(Where where, Call call) {
  const bool due = Due(where);
  if (due && point->act == Act::kKillBefore) Die();
  if (due && point->act == Act::kFail) {
    errno = point->error;
    return static_cast<decltype(call())>(-1);
  }
  const auto result = call();
  if (due) Die();
  return result;
}

// 1: the write-ahead log, 0: the database, -1: neither.
int FileKind(int descriptor) {
  char link[64];
  char path[PATH_MAX];
  snprintf(link, sizeof(link), "/proc/self/fd/%d", descriptor);
  const ssize_t length = readlink(link, path, sizeof(path) - 1);
  if (length <= 0) return -1;
  path[length] = '\0';
  const size_t size = static_cast<size_t>(length);
  if (size > 4 && strcmp(path + size - 4, "-wal") == 0) return 1;
  return size > 3 && strcmp(path + size - 3, ".db") == 0 ? 0 : -1;
}

int PortOf(int descriptor, int (*name)(int, sockaddr*, socklen_t*)) {
  sockaddr_storage address{};
  socklen_t length = sizeof(address);
  if (name(descriptor, reinterpret_cast<sockaddr*>(&address), &length) != 0) return -1;
  if (address.ss_family == AF_INET) return ntohs(reinterpret_cast<sockaddr_in*>(&address)->sin_port);
  return address.ss_family == AF_INET6 ? ntohs(reinterpret_cast<sockaddr_in6*>(&address)->sin6_port) : -1;
}

// What goes out on this connection; kMemory: nothing of ours.
Where Outgoing(int descriptor) {
  if (PortOf(descriptor, getpeername) == ports[2]) return Where::kAulmSend;
  const int own = PortOf(descriptor, getsockname);
  if (own == ports[0]) return Where::kWebhook;
  return own == ports[1] ? Where::kGrpc : Where::kMemory;
}

template <typename Call>
auto PassWrite(int descriptor, Call call) {
  if (point == nullptr) return call();
  const int kind = FileKind(descriptor);
  return kind < 0 ? call() : Pass(kind == 1 ? Where::kLogWrite : Where::kDatabaseWrite, call);
}

template <typename Call>
auto PassSync(int descriptor, Call call) {
  if (slow_sync_us > 0 && FileKind(descriptor) == 1) usleep(slow_sync_us);
  if (point == nullptr) return call();
  const int kind = FileKind(descriptor);
  return kind < 0 ? call() : Pass(kind == 1 ? Where::kLogSync : Where::kDatabaseSync, call);
}

// True when this allocation is the one that fails.
bool OutOfMemory() { return point != nullptr && point->where == Where::kMemory && Due(Where::kMemory); }

template <typename Call>
auto PassSend(int descriptor, Call call) {
  if (point == nullptr) return call();
  const Where where = Outgoing(descriptor);
  return where == Where::kMemory ? call() : Pass(where, call);
}

}  // namespace

extern "C" {

// No static with a guard: what looks the next one up may allocate.
void* malloc(size_t size) {
  static decltype(malloc)* next = nullptr;
  if (next == nullptr) next = Next<decltype(malloc)>("malloc");
  if (!OutOfMemory()) return next(size);
  errno = ENOMEM;
  return nullptr;
}

ssize_t pwrite64(int descriptor, const void* bytes, size_t size, off64_t offset) {
  static auto* const next = Next<decltype(pwrite64)>("pwrite64");
  return PassWrite(descriptor, [&] { return next(descriptor, bytes, size, offset); });
}

ssize_t pwrite(int descriptor, const void* bytes, size_t size, off_t offset) {
  static auto* const next = Next<decltype(pwrite)>("pwrite");
  return PassWrite(descriptor, [&] { return next(descriptor, bytes, size, offset); });
}

int fdatasync(int descriptor) {
  static auto* const next = Next<decltype(fdatasync)>("fdatasync");
  return PassSync(descriptor, [&] { return next(descriptor); });
}

int fsync(int descriptor) {
  static auto* const next = Next<decltype(fsync)>("fsync");
  return PassSync(descriptor, [&] { return next(descriptor); });
}

ssize_t send(int descriptor, const void* bytes, size_t size, int flags) {
  static auto* const next = Next<decltype(send)>("send");
  return PassSend(descriptor, [&] { return next(descriptor, bytes, size, flags); });
}

ssize_t sendmsg(int descriptor, const msghdr* message, int flags) {
  static auto* const next = Next<decltype(sendmsg)>("sendmsg");
  return PassSend(descriptor, [&] { return next(descriptor, message, flags); });
}

ssize_t recv(int descriptor, void* bytes, size_t size, int flags) {
  static auto* const next = Next<decltype(recv)>("recv");
  if (point == nullptr || point->where != Where::kAulmReceive || PortOf(descriptor, getpeername) != ports[2]) {
    return next(descriptor, bytes, size, flags);
  }
  return Pass(Where::kAulmReceive, [&] { return next(descriptor, bytes, size, flags); });
}

}  // extern "C"

// What C++ allocates by: the gateway's allocator has one of its own, which passes no malloc.
void* operator new(size_t size) {
  static void* (*next)(size_t) = nullptr;
  if (next == nullptr) next = Next<void*(size_t)>("_Znwm");
  if (OutOfMemory()) throw std::bad_alloc();
  return next(size);
}
