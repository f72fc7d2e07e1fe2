#include "service/rpc/caller.h"

#include <google/protobuf/descriptor.h>

#include <optional>
#include <string>
#include <vector>

#include "aulm/gateway/v1/event_service.pb.h"
#include "aulm/gateway/v1/messaging_service.pb.h"
#include "aulm/gateway/v1/quota_service.pb.h"
#include "aulm/gateway/v1/session_service.pb.h"
#include "aulm/gateway/v1/subscription_service.pb.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "prometheus/registry.h"
#include "prometheus/text_serializer.h"
#include "service/base/status_details.h"
#include "service/config/method_names.h"
#include "tests/support/fake_clock.h"

namespace aulm::gateway {
namespace {

using testing::HasSubstr;

constexpr char kSession[] = "0b6c9a54-6d0f-4c57-9d0a-7c1d2f3e4a5b";

class CallerTest : public testing::Test {
 protected:
  std::unique_ptr<Caller> Make(const CallerSettings& settings) {
    return std::make_unique<Caller>(settings, metrics_, clock_);
  }
  static CallerSettings Shop() {
    CallerSettings settings = Caller::Anyone();
    settings.name = "shop";
    return settings;
  }
  std::string Metrics() { return prometheus::TextSerializer().Serialize(registry_.Collect()); }

  FakeClock clock_;
  prometheus::Registry registry_;
  CallerMetrics metrics_{registry_};
  const AccountDirectory accounts_;
};

TEST_F(CallerTest, ARefusalNamesTheCallerThePermissionAndTheValue) {
  CallerSettings settings = Shop();
  settings.methods = {.all = false, .names = {"SendText"}};
  const auto caller = Make(settings);

  const absl::Status denied = caller->MayCall("SendImage");

  EXPECT_TRUE(caller->MayCall("SendText").ok());
  EXPECT_EQ(denied.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_TRUE(HasReason(denied, GatewayReason::kCallerNotAllowed));
  const auto details = DetailsOf(denied);
  ASSERT_TRUE(details.has_value());
  EXPECT_EQ(details->metadata.at("caller"), "shop");
  EXPECT_EQ(details->metadata.at("permission"), "methods");
  EXPECT_EQ(details->metadata.at("value"), "SendImage");
}

TEST_F(CallerTest, SessionsAreMatchedWhateverTheCaseOfTheirLetters) {
  CallerSettings settings = Shop();
  settings.session_ids = {.all = false, .names = {kSession}};
  const auto caller = Make(settings);
  EXPECT_TRUE(caller->MayUseSession("0B6C9A54-6D0F-4C57-9D0A-7C1D2F3E4A5B", accounts_).ok());
  EXPECT_FALSE(caller->MayUseSession("1b6c9a54-6d0f-4c57-9d0a-7c1d2f3e4a5b", accounts_).ok());
  v1::EventFilter filter;
  EXPECT_TRUE(caller->MaySeeEvents(filter).ok());
  filter.add_session_ids("0B6C9A54-6D0F-4C57-9D0A-7C1D2F3E4A5B");
  EXPECT_TRUE(caller->MaySeeEvents(filter).ok());
  filter.add_session_ids("1b6c9a54-6d0f-4c57-9d0a-7c1d2f3e4a5b");
  EXPECT_FALSE(caller->MaySeeEvents(filter).ok());
}

TEST_F(CallerTest, WhoMayDoEverythingIsNoFilterAtAll) {
  EXPECT_EQ(Make(Shop())->visibility(), nullptr);
  CallerSettings settings = Shop();
  settings.accounts = {.all = false, .names = {"default"}};
  const auto visibility = Make(settings)->visibility();
  ASSERT_NE(visibility, nullptr);
  EXPECT_TRUE(visibility->accounts.has_value());
  EXPECT_FALSE(visibility->session_ids.has_value());
}

TEST_F(CallerTest, AnEmptyListIsNothing) {
  CallerSettings settings = Shop();
  settings.session_ids = {};
  EXPECT_FALSE(Make(settings)->MaySeeEvents({}).ok());
  settings.name = "other";
  settings.accounts = {};
  EXPECT_FALSE(Make(settings)->MaySeeEvents({}).ok());
}

TEST_F(CallerTest, StreamsAreBoundedAndGivenBack) {
  CallerSettings settings = Shop();
  settings.max_streams = 2;
  const auto caller = Make(settings);
  std::optional<Caller::StreamSlot> first(*caller->TakeStream());
  absl::StatusOr<Caller::StreamSlot> second = caller->TakeStream();
  ASSERT_TRUE(second.ok());
  EXPECT_THAT(Metrics(), HasSubstr("aulm_gateway_caller_streams{caller=\"shop\"} 2\n"));

  const absl::Status full = caller->TakeStream().status();

  EXPECT_TRUE(HasReason(full, GatewayReason::kOverloaded));
  EXPECT_EQ(RetryDelayOf(full), absl::Seconds(5));
  first.reset();
  EXPECT_TRUE(caller->TakeStream().ok());
  EXPECT_THAT(Metrics(), HasSubstr("aulm_gateway_caller_streams{caller=\"shop\"} 1\n"));
}

TEST_F(CallerTest, CountsHowItsCallsEnd) {
  const auto caller = Make(Shop());
  caller->NoteEnd(absl::OkStatus());
  caller->NoteEnd(GatewayError(GatewayReason::kCallerNotAllowed, "no"));
  caller->NoteEnd(GatewayError(GatewayReason::kOverloaded, "no"));
  caller->NoteEnd(GatewayError(GatewayReason::kDraining, "no"));
  for (const std::string outcome : {"ok", "not_allowed", "overloaded", "failed"}) {
    EXPECT_THAT(Metrics(),
                HasSubstr("aulm_gateway_caller_calls_total{caller=\"shop\",outcome=\"" + outcome + "\"} 1\n"));
  }
}

TEST(MethodNamesTest, AreThoseOfTheContract) {
  std::vector<std::string> methods;
  for (const google::protobuf::FileDescriptor* const file :
       {v1::SendTextRequest::descriptor()->file(), v1::GetQuotaRequest::descriptor()->file(),
        v1::GetSessionStatusRequest::descriptor()->file(), v1::ReadEventsRequest::descriptor()->file(),
        v1::ListSubscriptionsRequest::descriptor()->file()}) {
    ASSERT_EQ(file->service_count(), 1) << file->name();
    for (int i = 0; i < file->service(0)->method_count(); ++i) methods.push_back(file->service(0)->method(i)->name());
  }
  EXPECT_THAT(std::vector<std::string>(kMethodNames.begin(), kMethodNames.end()),
              testing::UnorderedElementsAreArray(methods));
}

}  // namespace
}  // namespace aulm::gateway
