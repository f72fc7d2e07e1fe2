// For ThreadSanitizer builds alone: tells it what Abseil's locks do. Debian's Abseil is a shared library that was built
// without ThreadSanitizer, so everything that an absl::Mutex orders would look like a race. These definitions come
// before the library's in every program, for gRPC too, tell ThreadSanitizer, and go on to the real ones.
#include <dlfcn.h>
#include <sanitizer/tsan_interface.h>

#include <cstdlib>
#include <cstring>
#include <string>
#include <type_traits>

#include "absl/base/options.h"
#include "absl/synchronization/blocking_counter.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"

#define AULM_TEXT_OF(name) AULM_TEXT(name)
#define AULM_TEXT(name) #name

namespace {

// The library's own function, by its mangled name after `absl::<inline namespace>::`. `kind` is "_ZNK" for const
// members.
template <typename Function>
Function* Real(const char* name, const char* kind = "_ZN") {
  constexpr char kNamespace[] = AULM_TEXT_OF(ABSL_OPTION_INLINE_NAMESPACE_NAME);
  const std::string mangled = std::string(kind) + "4absl" + std::to_string(strlen(kNamespace)) + kNamespace + name;
  void* const found = dlsym(RTLD_NEXT, mangled.c_str());
  if (found == nullptr) abort();  // another Abseil than this file was written for
  return reinterpret_cast<Function*>(found);
}

// What a member function is to the linker: a function whose first argument is the object.
using OfMutex = void(absl::Mutex*);
using TriesMutex = bool(absl::Mutex*);

extern "C" void AnnotateIgnoreReadsBegin(const char* file, int line);
extern "C" void AnnotateIgnoreReadsEnd(const char* file, int line);

struct Unlooked {
  Unlooked() { AnnotateIgnoreReadsBegin(__FILE__, __LINE__); }
  ~Unlooked() { AnnotateIgnoreReadsEnd(__FILE__, __LINE__); }
};

// Above 0 while this thread is within a real function. Those call each other through the definitions below; only the
// outermost call is told.
thread_local int depth = 0;

// Meanwhile the library asks the conditions of those who wait. It holds the mutex then, which ThreadSanitizer, told
// before or after, does not know: what they read is not looked at.
template <typename Call>
auto GoOn(Call call) {
  const Unlooked unlooked;
  ++depth;
  if constexpr (std::is_void_v<decltype(call())>) {
    call();
    --depth;
  } else {
    const auto result = call();
    --depth;
    return result;
  }
}

// Around a real function that returns with the mutex taken.
template <typename Call>
auto Taking(void* mutex, unsigned flags, Call call) {
  if (depth > 0) return call();
  __tsan_mutex_pre_lock(mutex, flags);
  if constexpr (std::is_void_v<decltype(call())>) {
    GoOn(call);
    __tsan_mutex_post_lock(mutex, flags, 0);
  } else {
    const auto result = GoOn(call);
    __tsan_mutex_post_lock(mutex, flags, 0);
    return result;
  }
}

// Around one that gives the mutex up while it waits, and takes it again.
template <typename Call>
auto GivingUp(void* mutex, Call call) {
  if (depth > 0) return call();
  __tsan_mutex_pre_unlock(mutex, 0);
  __tsan_mutex_post_unlock(mutex, 0);
  return Taking(mutex, 0, call);
}

bool Trying(absl::Mutex* mutex, unsigned flags, TriesMutex* real) {
  if (depth > 0) return real(mutex);
  __tsan_mutex_pre_lock(mutex, flags | __tsan_mutex_try_lock);
  const bool taken = GoOn([&] { return real(mutex); });
  __tsan_mutex_post_lock(mutex, flags | __tsan_mutex_try_lock | (taken ? 0 : __tsan_mutex_try_lock_failed), 0);
  return taken;
}

void Releasing(absl::Mutex* mutex, unsigned flags, OfMutex* real) {
  if (depth > 0) return real(mutex);
  __tsan_mutex_pre_unlock(mutex, flags);
  GoOn([&] { real(mutex); });
  __tsan_mutex_post_unlock(mutex, flags);
}

// A notification's flag stands behind its mutex: HasBeenNotified, which is compiled into our own code, reads it there.
const void* FlagOf(const absl::Notification* notification) {
  return reinterpret_cast<const char*>(notification) + sizeof(absl::Mutex);
}

}  // namespace

namespace absl {
ABSL_NAMESPACE_BEGIN

Mutex::~Mutex() {
  static OfMutex* const real = Real<OfMutex>("5MutexD1Ev");
  __tsan_mutex_destroy(this, __tsan_mutex_not_static);
  real(this);
}

void Mutex::Lock() {
  static OfMutex* const real = Real<OfMutex>("5Mutex4LockEv");
  Taking(this, 0, [&] { real(this); });
}

void Mutex::Unlock() {
  static OfMutex* const real = Real<OfMutex>("5Mutex6UnlockEv");
  Releasing(this, 0, real);
}

bool Mutex::TryLock() {
  static TriesMutex* const real = Real<TriesMutex>("5Mutex7TryLockEv");
  return Trying(this, 0, real);
}

void Mutex::ReaderLock() {
  static OfMutex* const real = Real<OfMutex>("5Mutex10ReaderLockEv");
  Taking(this, __tsan_mutex_read_lock, [&] { real(this); });
}

void Mutex::ReaderUnlock() {
  static OfMutex* const real = Real<OfMutex>("5Mutex12ReaderUnlockEv");
  Releasing(this, __tsan_mutex_read_lock, real);
}

bool Mutex::ReaderTryLock() {
  static TriesMutex* const real = Real<TriesMutex>("5Mutex13ReaderTryLockEv");
  return Trying(this, __tsan_mutex_read_lock, real);
}

void Mutex::LockWhen(const Condition& condition) {
  static auto* const real = Real<void(Mutex*, const Condition&)>("5Mutex8LockWhenERKNS0_9ConditionE");
  Taking(this, 0, [&] { real(this, condition); });
}

bool Mutex::LockWhenWithTimeout(const Condition& condition, absl::Duration timeout) {
  static auto* const real = Real<bool(Mutex*, const Condition&, absl::Duration)>(
      "5Mutex19LockWhenWithTimeoutERKNS0_9ConditionENS0_8DurationE");
  return Taking(this, 0, [&] { return real(this, condition, timeout); });
}

bool Mutex::LockWhenWithDeadline(const Condition& condition, absl::Time deadline) {
  static auto* const real =
      Real<bool(Mutex*, const Condition&, absl::Time)>("5Mutex20LockWhenWithDeadlineERKNS0_9ConditionENS0_4TimeE");
  return Taking(this, 0, [&] { return real(this, condition, deadline); });
}

// Await* take the mutex to be held for writing, which is how this project holds it there.
void Mutex::Await(const Condition& condition) {
  static auto* const real = Real<void(Mutex*, const Condition&)>("5Mutex5AwaitERKNS0_9ConditionE");
  GivingUp(this, [&] { real(this, condition); });
}

bool Mutex::AwaitWithTimeout(const Condition& condition, absl::Duration timeout) {
  static auto* const real =
      Real<bool(Mutex*, const Condition&, absl::Duration)>("5Mutex16AwaitWithTimeoutERKNS0_9ConditionENS0_8DurationE");
  return GivingUp(this, [&] { return real(this, condition, timeout); });
}

bool Mutex::AwaitWithDeadline(const Condition& condition, absl::Time deadline) {
  static auto* const real =
      Real<bool(Mutex*, const Condition&, absl::Time)>("5Mutex17AwaitWithDeadlineERKNS0_9ConditionENS0_4TimeE");
  return GivingUp(this, [&] { return real(this, condition, deadline); });
}

void CondVar::Wait(Mutex* mutex) {
  static auto* const real = Real<void(CondVar*, Mutex*)>("7CondVar4WaitEPNS0_5MutexE");
  GivingUp(mutex, [&] { real(this, mutex); });
}

bool CondVar::WaitWithTimeout(Mutex* mutex, absl::Duration timeout) {
  static auto* const real =
      Real<bool(CondVar*, Mutex*, absl::Duration)>("7CondVar15WaitWithTimeoutEPNS0_5MutexENS0_8DurationE");
  return GivingUp(mutex, [&] { return real(this, mutex, timeout); });
}

bool CondVar::WaitWithDeadline(Mutex* mutex, absl::Time deadline) {
  static auto* const real =
      Real<bool(CondVar*, Mutex*, absl::Time)>("7CondVar16WaitWithDeadlineEPNS0_5MutexENS0_4TimeE");
  return GivingUp(mutex, [&] { return real(this, mutex, deadline); });
}

// The rest is ordered by atomics within the library.
void Notification::Notify() {
  static auto* const real = Real<void(Notification*)>("12Notification6NotifyEv");
  __tsan_release(const_cast<void*>(FlagOf(this)));
  real(this);
}

void Notification::WaitForNotification() const {
  static auto* const real = Real<void(const Notification*)>("12Notification19WaitForNotificationEv", "_ZNK");
  real(this);
  __tsan_acquire(const_cast<void*>(FlagOf(this)));
}

bool Notification::WaitForNotificationWithTimeout(absl::Duration timeout) const {
  static auto* const real = Real<bool(const Notification*, absl::Duration)>(
      "12Notification30WaitForNotificationWithTimeoutENS0_8DurationE", "_ZNK");
  const bool notified = real(this, timeout);
  if (notified) __tsan_acquire(const_cast<void*>(FlagOf(this)));
  return notified;
}

bool Notification::WaitForNotificationWithDeadline(absl::Time deadline) const {
  static auto* const real =
      Real<bool(const Notification*, absl::Time)>("12Notification31WaitForNotificationWithDeadlineENS0_4TimeE", "_ZNK");
  const bool notified = real(this, deadline);
  if (notified) __tsan_acquire(const_cast<void*>(FlagOf(this)));
  return notified;
}

bool BlockingCounter::DecrementCount() {
  static auto* const real = Real<bool(BlockingCounter*)>("15BlockingCounter14DecrementCountEv");
  __tsan_release(this);
  return real(this);
}

void BlockingCounter::Wait() {
  static auto* const real = Real<void(BlockingCounter*)>("15BlockingCounter4WaitEv");
  real(this);
  __tsan_acquire(this);
}

ABSL_NAMESPACE_END
}  // namespace absl
