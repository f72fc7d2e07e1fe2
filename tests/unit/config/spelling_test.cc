#include "service/config/spelling.h"

#include <vector>

#include "gtest/gtest.h"

namespace aulm::gateway {
namespace {

const std::vector<absl::string_view> kNames = {"address", "api_key_file", "listeners", "url"};

TEST(SpellingTest, FindsTheNameBehindASlip) {
  EXPECT_EQ(ClosestName("adress", kNames), "address");
  EXPECT_EQ(ClosestName("addresss", kNames), "address");
  EXPECT_EQ(ClosestName("adderss", kNames), "address");
  EXPECT_EQ(ClosestName("listerners", kNames), "listeners");
  EXPECT_EQ(ClosestName("uri", kNames), "url");
}

TEST(SpellingTest, FindsTheNameThatABeginningStandsFor) { EXPECT_EQ(ClosestName("api_key", kNames), "api_key_file"); }

TEST(SpellingTest, FindsNothingWhereNothingIsNear) {
  EXPECT_EQ(ClosestName("pacing", kNames), "");
  EXPECT_EQ(ClosestName("", kNames), "");
  EXPECT_EQ(ClosestName("ur", kNames), "");
  EXPECT_EQ(ClosestName("foo", {"log", "for"}), "for");
  EXPECT_EQ(ClosestName("foo", {"log"}), "");  // two of three letters are others
  EXPECT_EQ(ClosestName("lgo", {"log"}), "log");
}

}  // namespace
}  // namespace aulm::gateway
