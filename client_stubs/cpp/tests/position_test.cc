#include "aulm/gateway/client/position.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace aulm::gateway::client {
namespace {

using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;

class Recording : public CursorStore {
 public:
  absl::StatusOr<std::string> Load() override { return std::string(); }
  absl::Status Save(absl::string_view cursor) override {
    if (!failing.ok()) return failing;
    saved.emplace_back(cursor);
    return absl::OkStatus();
  }
  std::vector<std::string> saved;
  absl::Status failing;
};

class PositionTest : public testing::Test {
 protected:
  Recording store_;
  std::vector<absl::Status> told_;
  Position position_{&store_, true, absl::ZeroDuration(),
                     [this](const absl::Status& status) { told_.push_back(status); }};
};

TEST_F(PositionTest, StandsBeforeTheOldestThatIsNotHandled) {
  const uint64_t first = position_.Add("1");
  const uint64_t second = position_.Add("2");
  position_.MoveTo("5");
  EXPECT_TRUE(position_.MarkHandled(second).ok());
  EXPECT_EQ(position_.handled(), "");
  EXPECT_THAT(store_.saved, ElementsAre());
  EXPECT_TRUE(position_.MarkHandled(first).ok());
  EXPECT_EQ(position_.handled(), "5");
  EXPECT_THAT(store_.saved, ElementsAre("5"));
}

TEST_F(PositionTest, WhatTheGatewayDidNotTakeIsToldAndMayComeAgain) {
  store_.failing = absl::UnavailableError("away");
  EXPECT_TRUE(position_.MarkHandled(position_.Add("1")).ok());
  position_.Add("2");
  EXPECT_EQ(told_.size(), 1);
  EXPECT_THAT(position_.NotSavedYet(), UnorderedElementsAre("1", "2"));
  store_.failing = absl::OkStatus();
  EXPECT_TRUE(position_.Save().ok());
  EXPECT_THAT(position_.NotSavedYet(), UnorderedElementsAre("2"));
}

TEST_F(PositionTest, WhatCannotPassIsTheFailureEverAfter) {
  store_.failing = absl::NotFoundError("no such subscription");
  EXPECT_EQ(position_.MarkHandled(position_.Add("1")), store_.failing);
  EXPECT_EQ(position_.SaveIfDue(), absl::NotFoundError("no such subscription"));
  EXPECT_EQ(position_.Save(), absl::NotFoundError("no such subscription"));
  EXPECT_TRUE(told_.empty());
}

TEST_F(PositionTest, NothingNewIsNotSavedAgain) {
  EXPECT_TRUE(position_.MarkHandled(position_.Add("1")).ok());
  EXPECT_TRUE(position_.Save().ok());
  EXPECT_THAT(store_.saved, ElementsAre("1"));
  EXPECT_EQ(position_.UntilSave(), absl::InfiniteDuration());
}

}  // namespace
}  // namespace aulm::gateway::client
