#include "tests/simulator/fault.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <string>

#include "tests/simulator/fault_plan.h"

namespace aulm::simulator {
namespace {

using ::testing::HasSubstr;

std::string ErrorOf(const std::string& json) {
  return std::string(ParseFault(boost::json::parse(json)).status().message());
}

TEST(FaultTest, ItsJsonReadsBack) {
  Fault fault;
  fault.method = "POST";
  fault.path = "/v1/messages";
  fault.body_contains = "+9665";
  fault.count = 3;
  fault.code = "service_unavailable";
  fault.message = "busy";
  fault.status = 599;
  fault.headers = {{"x-a", "b"}};
  fault.body = "\xff\x00\x01";
  fault.raw = "raw";
  fault.retry_after = "9";
  fault.accepted = true;
  fault.delay = absl::Milliseconds(1.5);
  fault.drop = Fault::Drop::kMidAnswer;
  fault.reset = true;
  const absl::StatusOr<Fault> read = ParseFault(FaultJson(fault));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(FaultJson(*read), FaultJson(fault));
  EXPECT_EQ(read->body, fault.body);
  EXPECT_EQ(read->drop, fault.drop);
}

TEST(FaultTest, BadFieldsAreNamed) {
  EXPECT_THAT(ErrorOf("[]"), HasSubstr("object"));
  EXPECT_THAT(ErrorOf(R"({"cuont":1})"), HasSubstr("cuont: unknown field"));
  EXPECT_THAT(ErrorOf(R"({"count":"one"})"), HasSubstr("count: must be an integer"));
  EXPECT_THAT(ErrorOf(R"({"count":-1})"), HasSubstr("count"));
  EXPECT_THAT(ErrorOf(R"({"code":"nonsense"})"), HasSubstr("not in aulm's error table"));
  EXPECT_THAT(ErrorOf(R"({"drop":"later"})"), HasSubstr("drop: 'later' is not one of"));
  EXPECT_THAT(ErrorOf(R"({"status":12})"), HasSubstr("status"));
  EXPECT_THAT(ErrorOf(R"({"delay_ms":-5})"), HasSubstr("delay_ms"));
  EXPECT_THAT(ErrorOf(R"({"body_base64":"*"})"), HasSubstr("body_base64: must be base64"));
  EXPECT_THAT(ErrorOf(R"({"match":{"to":"+9"}})"), HasSubstr("to: unknown field"));
  EXPECT_THAT(ErrorOf(R"({"retry_after":[]})"), HasSubstr("retry_after"));
  EXPECT_THAT(ErrorOf(R"({"headers":{"a":1}})"), HasSubstr("headers"));
}

Fault With(int64_t count, const std::string& path, const std::string& code) {
  Fault fault;
  fault.count = count;
  fault.path = path;
  fault.code = code;
  return fault;
}

TEST(FaultPlanTest, AFaultIsTakenAsOftenAsItsCountSays) {
  FaultPlan plan;
  plan.Add(With(2, "", "invalid_json"));
  EXPECT_TRUE(plan.Take("GET", "/v1", "").has_value());
  EXPECT_TRUE(plan.Take("GET", "/v1", "").has_value());
  EXPECT_FALSE(plan.Take("GET", "/v1", "").has_value());
}

TEST(FaultPlanTest, CountZeroStaysUntilCleared) {
  FaultPlan plan;
  plan.Add(With(0, "", "invalid_json"));
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(plan.Take("GET", "/v1", "").has_value());
  plan.Clear();
  EXPECT_FALSE(plan.Take("GET", "/v1", "").has_value());
}

TEST(FaultPlanTest, TheOldestThatFitsIsTaken) {
  FaultPlan plan;
  plan.Add(With(1, "/v1/sessions", "session_not_found"));
  plan.Add(With(1, "/v1/messages", "session_disabled"));
  plan.Add(With(1, "", "session_not_ready"));
  EXPECT_EQ(plan.Take("POST", "/v1/messages/send-text", "")->code, "session_disabled");
  EXPECT_EQ(plan.Take("POST", "/v1/messages/send-text", "")->code, "session_not_ready");
  EXPECT_EQ(plan.Take("GET", "/v1/sessions/x/status", "")->code, "session_not_found");
}

TEST(FaultPlanTest, MethodAndBodyMustFit) {
  FaultPlan plan;
  Fault fault = With(1, "", "session_disabled");
  fault.method = "POST";
  fault.body_contains = "needle";
  plan.Add(fault);
  EXPECT_FALSE(plan.Take("GET", "/v1", "needle").has_value());
  EXPECT_FALSE(plan.Take("POST", "/v1", "hay").has_value());
  EXPECT_TRUE(plan.Take("POST", "/v1", "a needle in hay").has_value());
}

TEST(FaultPlanTest, DropsBeforeReadingAreTakenByTheHeaderAlone) {
  FaultPlan plan;
  Fault fault;
  fault.drop = Fault::Drop::kBeforeRead;
  fault.path = "/v1/messages";
  plan.Add(fault);
  EXPECT_FALSE(plan.TakeUnreadDrop("GET", "/v1/sessions"));
  EXPECT_FALSE(plan.Take("POST", "/v1/messages/send-text", "").has_value());
  EXPECT_TRUE(plan.TakeUnreadDrop("POST", "/v1/messages/send-text"));
  EXPECT_FALSE(plan.TakeUnreadDrop("POST", "/v1/messages/send-text"));
}

}  // namespace
}  // namespace aulm::simulator
