#include "aulm/gateway/client/conversation_lanes.h"

#include <string>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace aulm::gateway::client {
namespace {

using ::testing::ElementsAre;

class ConversationLanesTest : public testing::Test {
 protected:
  // A task that notes its name.
  ConversationLanes::Task Noting(const std::string& conversation, const std::string& name) {
    return {conversation,
            [this, name] {
              absl::MutexLock lock(&mu_);
              ran_.push_back(name);
              return absl::OkStatus();
            },
            [this, name] {
              absl::MutexLock lock(&mu_);
              dropped_.push_back(name);
            }};
  }
  void AwaitRan(size_t count) {
    absl::MutexLock lock(&mu_);
    const auto enough = [&] { return ran_.size() >= count; };
    mu_.Await(absl::Condition(&enough));
  }

  absl::Mutex mu_;
  std::vector<std::string> ran_, dropped_;
};

TEST_F(ConversationLanesTest, OneThreadKeepsTheOrder) {
  ConversationLanes lanes(1, 10);
  for (const char* name : {"a1", "b1", "a2", "c1"}) lanes.Submit(Noting(std::string(1, name[0]), name));
  AwaitRan(4);
  EXPECT_TRUE(lanes.Join().ok());
  EXPECT_THAT(ran_, ElementsAre("a1", "b1", "a2", "c1"));
}

TEST_F(ConversationLanesTest, AConversationWaitsForItsOwnAndNotForOthers) {
  ConversationLanes lanes(2, 10);
  absl::Notification go_on;
  lanes.Submit({"a",
                [&] {
                  go_on.WaitForNotification();
                  return absl::OkStatus();
                },
                nullptr});
  lanes.Submit(Noting("a", "a2"));
  lanes.Submit(Noting("b", "b1"));
  AwaitRan(1);
  go_on.Notify();
  AwaitRan(2);
  EXPECT_TRUE(lanes.Join().ok());
  EXPECT_THAT(ran_, ElementsAre("b1", "a2"));
}

TEST_F(ConversationLanesTest, FailureEndsItAndDropsWhatWaits) {
  ConversationLanes lanes(1, 10);
  absl::Notification go_on;
  lanes.Submit({"a",
                [&] {
                  go_on.WaitForNotification();
                  return absl::AbortedError("told to fail");
                },
                nullptr});
  lanes.Submit(Noting("b", "b1"));
  go_on.Notify();
  {
    absl::MutexLock lock(&mu_);
    const auto dropped = [&] { return !dropped_.empty(); };
    mu_.Await(absl::Condition(&dropped));
  }
  lanes.Submit(Noting("c", "c1"));
  EXPECT_EQ(lanes.Join(), absl::AbortedError("told to fail"));
  EXPECT_THAT(ran_, ElementsAre());
  EXPECT_THAT(dropped_, ElementsAre("b1", "c1"));
}

}  // namespace
}  // namespace aulm::gateway::client
