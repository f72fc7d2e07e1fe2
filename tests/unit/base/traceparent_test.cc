#include "service/base/traceparent.h"

#include <string>

#include "gtest/gtest.h"

namespace aulm::gateway {
namespace {

const std::string kRest = "-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

TEST(TraceparentTest, WellFormedIsTaken) {
  EXPECT_TRUE(IsTraceparent("00" + kRest));
  EXPECT_TRUE(IsTraceparent("01" + kRest)) << "a later version";
  EXPECT_TRUE(IsTraceparent("01" + kRest + "-more")) << "that says more";
}

TEST(TraceparentTest, TheTraceIdIsWhatItIsNamedBy) {
  EXPECT_EQ(TraceIdOf("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"), "4bf92f3577b34da6a3ce929d0e0e4736");
  EXPECT_EQ(TraceIdOf("4bf92f3577b34da6a3ce929d0e0e4736"), "");
}

TEST(TraceparentTest, AnythingElseIsNot) {
  for (const std::string& text :
       {std::string(), "ff" + kRest, "0" + kRest, "00" + kRest + "-more", "01" + kRest + "more",
        "01" + kRest + "-mo\x01re", "01" + kRest + "-" + std::string(80, 'x'),
        std::string("00-00000000000000000000000000000000-00f067aa0ba902b7-01"),
        std::string("00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01"),
        std::string("00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01"),
        std::string("00-4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7-01"),
        std::string("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0g"),
        std::string("00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01")}) {
    EXPECT_FALSE(IsTraceparent(text)) << text;
  }
}

}  // namespace
}  // namespace aulm::gateway
