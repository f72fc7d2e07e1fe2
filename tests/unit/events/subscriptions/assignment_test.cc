#include "service/events/subscriptions/assignment.h"

#include <map>
#include <set>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace aulm::gateway {
namespace {

using testing::ElementsAre;
using testing::Pair;

class AssignmentTest : public testing::Test {
 protected:
  Assignment::Alive Alive() const {
    return [this](const std::string& replica) { return !dead.contains(replica); };
  }
  std::map<std::string, int> Targets(bool whole = false) const { return assignment.Targets(Alive(), whole); }

  // What a replica does that comes, as PartitionKeeper does it.
  void Come(const std::string& replica, uint32_t consumers) { assignment.Note(replica, consumers, replica + "-key"); }
  void TakeAll(const std::string& replica, const std::string& from) { assignment.Take(from, replica, kAllPartitions); }

  Assignment assignment = Assignment::Vacant("first", 7, 0, 0);
  std::set<std::string> dead;
};

TEST_F(AssignmentTest, WithoutConsumersNobodyShouldHaveAnything) {
  Come("a", 0);
  EXPECT_TRUE(Targets().empty());
}

TEST_F(AssignmentTest, PartitionsAreInProportionToConsumers) {
  Come("a", 1);
  EXPECT_THAT(Targets(), ElementsAre(Pair("a", 64)));
  Come("b", 3);
  EXPECT_THAT(Targets(), ElementsAre(Pair("a", 16), Pair("b", 48)));
  Come("c", 2);
  EXPECT_THAT(Targets(), ElementsAre(Pair("a", 11), Pair("b", 32), Pair("c", 21)));
}

TEST_F(AssignmentTest, TheSmallestHasOneAllTheSame) {
  Come("a", 1);
  Come("b", 10'000);
  EXPECT_THAT(Targets(), ElementsAre(Pair("a", 1), Pair("b", 63)));
}

TEST_F(AssignmentTest, TheDeadCountForNothingAndLeaveWhatTheyHad) {
  Come("a", 1);
  TakeAll("a", "first");
  Come("b", 1);
  dead.insert("a");
  EXPECT_THAT(Targets(), ElementsAre(Pair("b", 64)));
  const auto vacancies = assignment.Vacancies(Alive());
  ASSERT_EQ(vacancies.size(), 1u);
  EXPECT_EQ(vacancies[0]->owner(), "a");
  EXPECT_TRUE(assignment.Take("a-key", "b", kAllPartitions)) << "nothing is left of it";
  EXPECT_EQ(assignment.Of("a"), nullptr);
}

TEST_F(AssignmentTest, EveryEpochIsNew) {
  Come("a", 1);
  Come("b", 1);
  assignment.Leave("b");
  Come("b", 1);
  EXPECT_EQ(assignment.Of("a")->epoch(), 1u);
  EXPECT_EQ(assignment.Of("b")->epoch(), 3u);
  EXPECT_EQ(assignment.WithEpoch(2), nullptr);
}

TEST_F(AssignmentTest, WhatIsReleasedIsToBeHadUnderItsKey) {
  Come("a", 1);
  TakeAll("a", "first");
  assignment.Release("a", HighestOf(kAllPartitions, 20), "copy");
  const auto vacancies = assignment.Vacancies(Alive());
  ASSERT_EQ(vacancies.size(), 1u);
  EXPECT_EQ(vacancies[0]->key(), "copy");
  EXPECT_EQ(CountOf(vacancies[0]->partitions()), 20);
  EXPECT_EQ(CountOf(assignment.Of("a")->partitions()), 44);
}

TEST_F(AssignmentTest, WhoGoesLeavesItsShareWhereItStands) {
  Come("a", 1);
  TakeAll("a", "first");
  assignment.Leave("a");
  const auto vacancies = assignment.Vacancies(Alive());
  ASSERT_EQ(vacancies.size(), 1u);
  EXPECT_EQ(vacancies[0]->key(), "a-key");
  EXPECT_EQ(assignment.WithEpoch(1), nullptr) << "its tokens are stale";
}

TEST_F(AssignmentTest, OfModeCursorOneHasAllAndKeepsIt) {
  Come("b", 1);
  TakeAll("b", "first");
  Come("a", 5);
  EXPECT_THAT(Targets(true), ElementsAre(Pair("a", 0), Pair("b", 64)));
  Come("b", 0);
  EXPECT_THAT(Targets(true), ElementsAre(Pair("a", 64)));
}

TEST_F(AssignmentTest, OfModeCursorForceComesFirstAndOnce) {
  Come("a", 1);
  TakeAll("a", "first");
  Come("b", 1);
  assignment.SetNextOwner("b");
  EXPECT_THAT(Targets(true), ElementsAre(Pair("a", 0), Pair("b", 64)));
  assignment.Release("a", kAllPartitions, "copy");
  assignment.Take("copy", "b", kAllPartitions);
  EXPECT_EQ(assignment.record().next_owner(), "");
  EXPECT_THAT(Targets(true), ElementsAre(Pair("a", 0), Pair("b", 64)));
}

TEST_F(AssignmentTest, TheDeadWithoutAnythingAreLeftOut) {
  Come("a", 1);
  Come("b", 1);
  TakeAll("b", "first");
  dead = {"a", "b"};
  EXPECT_THAT(assignment.Prune(Alive()), ElementsAre("a-key"));
  EXPECT_EQ(assignment.Of("a"), nullptr);
  EXPECT_NE(assignment.Of("b"), nullptr);
}

}  // namespace
}  // namespace aulm::gateway
