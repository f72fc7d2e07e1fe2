#include "service/http/http_service.h"

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace aulm::gateway {
namespace {

class RecordingTarget final : public ReplyTarget {
 public:
  void Deliver(uint64_t ticket, ServedReply reply) override { delivered.emplace_back(ticket, reply.status); }

  std::vector<std::pair<uint64_t, int>> delivered;
};

ServedReply ReplyOf(int status) {
  ServedReply reply;
  reply.status = status;
  return reply;
}

TEST(ReplyTest, SendDeliversUnderItsTicket) {
  const auto target = std::make_shared<RecordingTarget>();
  Reply(target, 7).Send(ReplyOf(204));
  EXPECT_THAT(target->delivered, testing::ElementsAre(std::make_pair(7, 204)));
}

TEST(ReplyTest, UnusedReplyAnswers503) {
  const auto target = std::make_shared<RecordingTarget>();
  {
    const Reply unused(target, 3);
  }
  EXPECT_THAT(target->delivered, testing::ElementsAre(std::make_pair(3, 503)));
}

TEST(ReplyTest, MovedReplyAnswersOnce) {
  const auto target = std::make_shared<RecordingTarget>();
  {
    Reply first(target, 5);
    Reply second = std::move(first);
    std::move(second).Send(ReplyOf(200));
  }
  EXPECT_THAT(target->delivered, testing::ElementsAre(std::make_pair(5, 200)));
}

TEST(HttpRefusalTest, EveryRefusalHasItsOwnName) {
  std::vector<absl::string_view> names;
  for (size_t i = 0; i < kHttpRefusals; ++i) {
    const absl::string_view name = HttpRefusalName(static_cast<HttpRefusal>(i));
    EXPECT_NE(name, "unknown");
    EXPECT_THAT(names, testing::Not(testing::Contains(name)));
    names.push_back(name);
  }
}

}  // namespace
}  // namespace aulm::gateway
