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
    if (failing) return absl::UnavailableError("away");
    saved.emplace_back(cursor);
    return absl::OkStatus();
  }
  std::vector<std::string> saved;
  bool failing = false;
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
  position_.MarkHandled(second);
  EXPECT_EQ(position_.handled(), "");
  EXPECT_THAT(store_.saved, ElementsAre());
  position_.MarkHandled(first);
  EXPECT_EQ(position_.handled(), "5");
  EXPECT_THAT(store_.saved, ElementsAre("5"));
}

TEST_F(PositionTest, WhatTheStoreDidNotTakeIsToldAndMayComeAgain) {
  store_.failing = true;
  position_.MarkHandled(position_.Add("1"));
  position_.Add("2");
  EXPECT_EQ(told_.size(), 1);
  EXPECT_THAT(position_.NotSavedYet(), UnorderedElementsAre("1", "2"));
  store_.failing = false;
  EXPECT_TRUE(position_.Save().ok());
  EXPECT_THAT(position_.NotSavedYet(), UnorderedElementsAre("2"));
}

TEST_F(PositionTest, NothingNewIsNotSavedAgain) {
  position_.MarkHandled(position_.Add("1"));
  EXPECT_TRUE(position_.Save().ok());
  EXPECT_THAT(store_.saved, ElementsAre("1"));
  EXPECT_EQ(position_.UntilSave(), absl::InfiniteDuration());
}

}  // namespace
}  // namespace aulm::gateway::client
