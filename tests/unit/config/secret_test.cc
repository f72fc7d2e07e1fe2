#include "service/config/secret.h"

#include <algorithm>
#include <cstdlib>
#include <new>
#include <ostream>
#include <string>
#include <type_traits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

// ThreadSanitizer's runtime has these operators to itself: under it nobody can look at freed memory.
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define AULM_NO_NEW_OF_OUR_OWN
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define AULM_NO_NEW_OF_OUR_OWN
#endif

#ifndef AULM_NO_NEW_OF_OUR_OWN
namespace {

// The array that a test watches, and whether its bytes were all zero when it was freed.
struct WatchedArray {
  const char* bytes = nullptr;
  size_t size = 0;
  bool freed = false;
  bool wiped = false;
};
WatchedArray g_watched;

void LookAtFreed(const void* bytes) noexcept {
  if (bytes == nullptr || bytes != g_watched.bytes) return;
  g_watched.freed = true;
  g_watched.wiped = std::all_of(g_watched.bytes, g_watched.bytes + g_watched.size, [](char c) { return c == 0; });
  g_watched.bytes = nullptr;
}

}  // namespace

// What `new char[]` takes and gives back in this program: the only place where freed memory can still be looked at.
void* operator new[](size_t size) {
  void* const bytes = std::malloc(size == 0 ? 1 : size);
  if (bytes == nullptr) abort();
  return bytes;
}
void operator delete[](void* bytes) noexcept {
  LookAtFreed(bytes);
  std::free(bytes);
}
void operator delete[](void* bytes, size_t) noexcept { operator delete[](bytes); }
#endif  // AULM_NO_NEW_OF_OUR_OWN

namespace aulm::gateway {
namespace {

template <typename T>
concept Printable = requires(std::ostream& out, const T& value) { out << value; };
template <typename T>
concept Concatenable = requires(const T& value) { absl::StrCat(value); };

TEST(SecretTest, CannotBecomeTextByAccident) {
  static_assert(!Printable<Secret> && Printable<std::string>);
  static_assert(!Concatenable<Secret> && Concatenable<std::string>);
  static_assert(!std::is_convertible_v<Secret, absl::string_view>);
  static_assert(!std::is_convertible_v<Secret, std::string>);
  static_assert(!std::is_convertible_v<std::string, Secret>);
  EXPECT_EQ(testing::PrintToString(Secret("canary")).find("canary"), std::string::npos);
}

TEST(SecretTest, RevealsWhatItHolds) {
  EXPECT_EQ(Secret(absl::string_view("a\0b", 3)).Reveal(), absl::string_view("a\0b", 3));
  EXPECT_TRUE(Secret().empty());
  EXPECT_EQ(Secret("").Reveal(), "");
}

TEST(SecretTest, ComparesContents) {
  EXPECT_EQ(Secret("one"), Secret("one"));
  EXPECT_FALSE(Secret("one") == Secret("two"));
  EXPECT_FALSE(Secret("one") == Secret("on"));
  EXPECT_EQ(Secret(), Secret(""));
}

TEST(SecretTest, CopiesAreIndependent) {
  Secret original("canary");
  const Secret copy = original;
  original = Secret("other");
  EXPECT_EQ(copy.Reveal(), "canary");
}

TEST(SecretTest, AMovedSecretLeavesNothingBehind) {
  Secret original("canary");
  const Secret moved = std::move(original);
  EXPECT_EQ(moved.Reveal(), "canary");
  EXPECT_TRUE(original.empty());  // NOLINT(bugprone-use-after-move): that is what is tested
}

#ifndef AULM_NO_NEW_OF_OUR_OWN
void Watch(const Secret& secret) { g_watched = {.bytes = secret.Reveal().data(), .size = secret.Reveal().size()}; }

TEST(SecretTest, IsWipedWhenDestroyed) {
  {
    const Secret secret("canary");
    Watch(secret);
  }
  EXPECT_TRUE(g_watched.freed);
  EXPECT_TRUE(g_watched.wiped);
}

TEST(SecretTest, IsWipedWhenAssignedTo) {
  Secret secret("canary");
  Watch(secret);
  secret = Secret("other");
  EXPECT_TRUE(g_watched.freed);
  EXPECT_TRUE(g_watched.wiped);
}
#endif  // AULM_NO_NEW_OF_OUR_OWN

}  // namespace
}  // namespace aulm::gateway
