#include "service/webhook/webhook_outcome.h"

#include <set>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace aulm::gateway {
namespace {

struct Row {
  WebhookOutcome outcome;
  int status;
  const char* retry_after;
};

TEST(WebhookOutcomeTest, EveryOutcomeHasItsAnswer) {
  const Row rows[] = {
      {WebhookOutcome::kStored, 200, ""},           {WebhookOutcome::kDuplicate, 200, ""},
      {WebhookOutcome::kSignatureMissing, 401, ""}, {WebhookOutcome::kSignatureMalformed, 401, ""},
      {WebhookOutcome::kSignatureWrong, 401, ""},   {WebhookOutcome::kSignatureWrongRetry, 429, "7"},
      {WebhookOutcome::kOverloaded, 429, "7"},      {WebhookOutcome::kDraining, 429, "7"},
      {WebhookOutcome::kStoreFailed, 503, ""},      {WebhookOutcome::kNoSecret, 503, ""},
      {WebhookOutcome::kUnknownPath, 404, ""},      {WebhookOutcome::kWrongMethod, 405, ""},
  };
  EXPECT_EQ(std::size(rows), kWebhookOutcomes);
  for (const Row& row : rows) {
    const ServedReply reply = AnswerFor(row.outcome, absl::Seconds(7));
    EXPECT_EQ(reply.status, row.status) << WebhookOutcomeName(row.outcome);
    std::string retry_after;
    for (const auto& [name, value] : reply.headers) {
      if (name == "retry-after") retry_after = value;
    }
    EXPECT_EQ(retry_after, row.retry_after) << WebhookOutcomeName(row.outcome);
    EXPECT_EQ(reply.content_type, "application/json");
    EXPECT_THAT(reply.body, testing::HasSubstr(std::string(WebhookOutcomeName(row.outcome))));
    EXPECT_FALSE(reply.close);
  }
}

TEST(WebhookOutcomeTest, NamesAreDistinct) {
  std::set<std::string> names;
  for (size_t i = 0; i < kWebhookOutcomes; ++i) {
    names.insert(std::string(WebhookOutcomeName(static_cast<WebhookOutcome>(i))));
  }
  EXPECT_EQ(names.size(), kWebhookOutcomes);
}

TEST(WebhookOutcomeTest, RetryAfterIsWholeSecondsAndAtLeastOne) {
  EXPECT_EQ(AnswerFor(WebhookOutcome::kOverloaded, absl::Milliseconds(1200)).headers.front().second, "2");
  EXPECT_EQ(AnswerFor(WebhookOutcome::kOverloaded, absl::ZeroDuration()).headers.front().second, "1");
}

TEST(WebhookOutcomeTest, WrongMethodNamesTheRightOne) {
  EXPECT_THAT(AnswerFor(WebhookOutcome::kWrongMethod, absl::Seconds(1)).headers,
              testing::ElementsAre(testing::Pair("allow", "POST")));
}

}  // namespace
}  // namespace aulm::gateway
