// One operation, one HTTP exchange: what the client asks of the transport, and what it makes of the exchange's course.
#include "service/aulm/aulm_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <memory>
#include <optional>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "prometheus/registry.h"
#include "service/base/status_details.h"
#include "service/base/version.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_http_transport.h"
#include "tests/support/recording_send_observer.h"

namespace aulm::gateway {
namespace {

using ::testing::_;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Pair;
using ::testing::SizeIs;
using Code = absl::StatusCode;

constexpr char kSession[] = "4c3d2b1a-0000-4000-8000-000000000001";
constexpr char kNumber[] = "+966512345678";
constexpr char kTraceparent[] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
constexpr char kAcceptedBody[] =
    R"({"data":{"message_id":"m1","session_id":"4c3d2b1a-0000-4000-8000-000000000001","to":"+966512345678",)"
    R"("status":"sent","simulated":true},"request_id":"r1"})";

HttpResponse Accepted() {
  return {201,
          {{"x-request-id", "r1"},
           {"x-ratelimit-limit", "100"},
           {"x-ratelimit-remaining", "7"},
           {"x-ratelimit-reset", "2026-05-29T00:00:00.000Z"}},
          kAcceptedBody};
}

HttpResponse Refused(int status, absl::string_view code) {
  return {status, {}, absl::StrCat(R"({"error":{"code":")", code, R"(","message":"m"}})")};
}

class AulmClientTest : public testing::Test {
 protected:
  AulmClientTest() {
    AulmClient::Options options;
    options.account = "shop";
    options.base_url = "https://api.aulm.io/";
    options.api_key = [this] { return key_; };
    options.settle_limit = absl::Seconds(42);
    client_ = *AulmClient::Create(std::move(options), transport_, std::make_shared<AulmAddress>(), clock_, metrics_);
  }

  std::shared_ptr<RecordingSendObserver> SendText(const AulmCallOptions& options = {}) {
    auto observer = std::make_shared<RecordingSendObserver>();
    last_call_ = client_->SendText({kSession, kNumber, "hi"}, options, observer);
    return observer;
  }

  std::optional<absl::StatusOr<SessionStatus>> GetSessionStatus(absl::string_view session = kSession) {
    auto result = std::make_shared<std::optional<absl::StatusOr<SessionStatus>>>();
    last_call_ = client_->GetSessionStatus(session, {}, [result](auto got) { *result = std::move(got); });
    return *result;
  }

  double Metric(absl::string_view name, absl::string_view reason = "") {
    double sum = 0;
    for (const auto& family : registry_.Collect()) {
      if (family.name != name) continue;
      for (const auto& metric : family.metric) {
        bool fits = reason.empty();
        for (const auto& label : metric.label) fits = fits || label.value == reason;
        if (fits) sum += metric.counter.value + metric.gauge.value;
      }
    }
    return sum;
  }

  FakeClock clock_;
  FakeHttpTransport transport_;
  prometheus::Registry registry_;
  AulmMetrics metrics_{registry_};
  ApiKey key_{"alm_sk_test_secret", 1};
  std::unique_ptr<AulmClient> client_;
  AulmClient::CallId last_call_ = 0;
};

TEST_F(AulmClientTest, TextIsOnePostWithItsHeaders) {
  AulmCallOptions options;
  options.deadline = clock_.Now() + absl::Seconds(5);
  options.traceparent = kTraceparent;
  SendText(options);
  ASSERT_THAT(transport_.requests(), SizeIs(1));
  const HttpRequest request = transport_.requests()[0];
  EXPECT_EQ(request.method, "POST");
  EXPECT_EQ(request.url, "https://api.aulm.io/v1/messages/send-text");
  EXPECT_THAT(request.headers, Contains(Pair("Authorization", "Bearer alm_sk_test_secret")));
  EXPECT_THAT(request.headers, Contains(Pair("Content-Type", "application/json")));
  EXPECT_THAT(request.headers,
              Contains(Pair("User-Agent", absl::StrCat("aulm-gateway/", std::string(GatewayVersion())))));
  EXPECT_THAT(request.headers, Contains(Pair("traceparent", kTraceparent)));
  EXPECT_EQ(boost::json::parse(request.body).at("body").as_string(), "hi");
  EXPECT_EQ(request.deadline, options.deadline);
  EXPECT_TRUE(request.finish_once_written);
  EXPECT_EQ(request.settle_limit, absl::Seconds(42));
}

TEST_F(AulmClientTest, ImageGoesToItsOwnEndpoint) {
  const ImageSource image{"https://example.com/a.png", "", ""};
  client_->SendImage({kSession, kNumber, image, "look"}, {}, std::make_shared<RecordingSendObserver>());
  ASSERT_THAT(transport_.requests(), SizeIs(1));
  EXPECT_EQ(transport_.requests()[0].url, "https://api.aulm.io/v1/messages/send-image");
  EXPECT_TRUE(transport_.requests()[0].finish_once_written);
}

TEST_F(AulmClientTest, StatusIsAGetThatMayBeEndedAtAnyTime) {
  GetSessionStatus();
  ASSERT_THAT(transport_.requests(), SizeIs(1));
  const HttpRequest request = transport_.requests()[0];
  EXPECT_EQ(request.method, "GET");
  EXPECT_EQ(request.url, absl::StrCat("https://api.aulm.io/v1/sessions/", kSession, "/status"));
  EXPECT_EQ(request.body, "");
  EXPECT_FALSE(request.finish_once_written);
}

TEST_F(AulmClientTest, OnlyATraceparentOfTheStandardFormIsPassedOn) {
  for (const char* text : {"", "x", "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
                           "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0",
                           "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\nX: y"}) {
    AulmCallOptions options;
    options.traceparent = text;
    SendText(options);
    const HttpRequest request = transport_.requests().back();
    EXPECT_THAT(request.headers, Not(Contains(Pair("traceparent", _)))) << text;
  }
}

TEST_F(AulmClientTest, A201IsTheResultWithItsQuota) {
  transport_.AnswerNext(Accepted());
  const absl::StatusOr<SendResult> result = SendText()->Wait();
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->message_id, "m1");
  EXPECT_EQ(result->session_id, kSession);
  EXPECT_EQ(result->to, kNumber);
  EXPECT_EQ(result->status, "sent");
  EXPECT_TRUE(result->simulated);
  EXPECT_EQ(result->aulm_request_id, "r1");
  ASSERT_TRUE(result->rate_limit.has_value());
  EXPECT_EQ(result->rate_limit->remaining, 7);
}

TEST_F(AulmClientTest, A200IsASuccessToo) {
  transport_.AnswerNext(HttpResponse{200, {}, kAcceptedBody});
  EXPECT_TRUE(SendText()->Wait().ok());
}

TEST_F(AulmClientTest, A201ThatCannotBeReadIsUnknown) {
  for (const char* body : {"", "<html>created</html>", "{\"data\":{\"message_id\":\"m", "{}"}) {
    transport_.AnswerNext(HttpResponse{201, {}, body});
    const absl::Status status = SendText()->Wait().status();
    EXPECT_EQ(status.code(), Code::kUnknown) << body;
    EXPECT_EQ(ReasonOf(status), "UNEXPECTED_RESPONSE") << body;
    EXPECT_EQ(OutcomeOf(status), Outcome::kUnknown) << body;
  }
}

TEST_F(AulmClientTest, AnErrorAnswerIsMapped) {
  transport_.AnswerNext(Refused(409, "session_not_ready"));
  const absl::Status status = SendText()->Wait().status();
  EXPECT_EQ(status.code(), Code::kFailedPrecondition);
  EXPECT_EQ(ReasonOf(status), "SESSION_NOT_READY");
}

TEST_F(AulmClientTest, NoAnswerIsMapped) {
  transport_.AnswerNext(HttpFailure{HttpFailure::Reason::kConnect, false, "refused"});
  const absl::Status status = SendText()->Wait().status();
  EXPECT_EQ(ReasonOf(status), "CONNECT_FAILED");
  EXPECT_EQ(OutcomeOf(status), Outcome::kNotSent);
}

TEST_F(AulmClientTest, ADetachedSendTellsItsCallerAndLaterItsOutcome) {
  const auto observer = SendText();
  transport_.Detach(0, HttpFailure::Reason::kDeadline);
  const auto so_far = observer->WaitDetached();
  ASSERT_TRUE(so_far.has_value());
  EXPECT_EQ(ReasonOf(*so_far), "CALL_DEADLINE");
  EXPECT_EQ(OutcomeOf(*so_far), Outcome::kUnknown);
  EXPECT_FALSE(observer->done());
  transport_.Answer(0, Accepted());
  EXPECT_EQ(observer->Wait()->message_id, "m1");
  EXPECT_EQ(Metric("aulm_api_calls_detached_total"), 1);
}

TEST_F(AulmClientTest, ADetachedSendWhoseCallerLeftIsCancelled) {
  const auto observer = SendText();
  transport_.Detach(0, HttpFailure::Reason::kCanceled);
  EXPECT_EQ(observer->WaitDetached()->code(), Code::kCancelled);
  transport_.Answer(0, Accepted());
}

TEST_F(AulmClientTest, CancelReachesTheTransport) {
  SendText();
  client_->Cancel(last_call_);
  EXPECT_THAT(transport_.canceled(), ElementsAre(1));
}

TEST_F(AulmClientTest, CancelOfACallThatWasRefusedDoesNothing) {
  client_->Cancel(0);
  EXPECT_THAT(transport_.canceled(), SizeIs(0));
}

TEST_F(AulmClientTest, StatusIsRead) {
  transport_.AnswerNext(HttpResponse{200, {{"x-request-id", "r9"}}, R"({"data":{"status":"awaiting_scan"}})"});
  const auto result = GetSessionStatus();
  ASSERT_TRUE(result.has_value() && result->ok());
  EXPECT_EQ((*result)->session_id, kSession);
  EXPECT_EQ((*result)->status, "awaiting_scan");
  EXPECT_EQ((*result)->aulm_request_id, "r9");
}

TEST_F(AulmClientTest, StatusErrorsAreMappedAsReads) {
  transport_.AnswerNext(Refused(502, "messaging_service_error"));
  const auto result = GetSessionStatus();
  EXPECT_EQ(result->status().code(), Code::kUnavailable);
  EXPECT_EQ(OutcomeOf(result->status()), std::nullopt);
}

TEST_F(AulmClientTest, AnUnreadableStatusMayBeReadAgain) {
  transport_.AnswerNext(HttpResponse{200, {}, "{}"});
  EXPECT_EQ(GetSessionStatus()->status().code(), Code::kUnavailable);
}

TEST_F(AulmClientTest, ASessionThatIsNoUuidNeverBecomesAPath) {
  for (const char* session : {"", "../../v1/admin", "4c3d2b1a-0000-4000-8000-00000000000/"}) {
    const auto result = GetSessionStatus(session);
    ASSERT_TRUE(result.has_value());
    EXPECT_EQ(result->status().code(), Code::kInvalidArgument);
    EXPECT_THAT(BadFieldsOf(result->status()), ElementsAre("session_id"));
  }
  EXPECT_THAT(transport_.requests(), SizeIs(0));
}

TEST_F(AulmClientTest, ARefusedKeyStopsSendsAndReadsWithoutAskingAulm) {
  transport_.AnswerNext(Refused(401, "api_key_revoked"));
  EXPECT_EQ(ReasonOf(SendText()->Wait().status()), "API_KEY_REVOKED");
  const auto observer = SendText();
  EXPECT_EQ(last_call_, 0u);
  const absl::Status refused = observer->Wait().status();
  EXPECT_EQ(refused.code(), Code::kFailedPrecondition);
  EXPECT_EQ(ReasonOf(refused), "ACCOUNT_SUSPENDED");
  EXPECT_EQ(OutcomeOf(refused), Outcome::kNotSent);
  EXPECT_EQ(ReasonOf(GetSessionStatus()->status()), "ACCOUNT_SUSPENDED");
  EXPECT_EQ(OutcomeOf(GetSessionStatus()->status()), std::nullopt);
  EXPECT_THAT(transport_.requests(), SizeIs(1));
  EXPECT_TRUE(client_->suspended());
  EXPECT_EQ(Metric("aulm_api_calls_total", "ACCOUNT_SUSPENDED"), 3);
  EXPECT_EQ(Metric("aulm_api_account_suspended", "shop"), 1);
}

TEST_F(AulmClientTest, ANewKeyIsUsedAtOnce) {
  transport_.AnswerNext(Refused(401, "api_key_expired"));
  SendText();
  key_ = {"alm_sk_test_another", 2};
  transport_.AnswerNext(Accepted());
  EXPECT_TRUE(SendText()->Wait().ok());
  EXPECT_THAT(transport_.requests()[1].headers, Contains(Pair("Authorization", "Bearer alm_sk_test_another")));
  EXPECT_EQ(Metric("aulm_api_account_suspended", "shop"), 0);
}

TEST_F(AulmClientTest, ACooldownIsShownByItsEnd) {
  EXPECT_EQ(Metric("aulm_api_cooldown_until_seconds"), 0);
  HttpResponse refused = Refused(429, "too_many_auth_failures");
  refused.headers.emplace_back("retry-after", "90");
  transport_.AnswerNext(refused);
  SendText();
  EXPECT_EQ(Metric("aulm_api_cooldown_until_seconds", "https://api.aulm.io/"),
            absl::ToDoubleSeconds(clock_.Now() + absl::Seconds(90) - absl::UnixEpoch()));
  EXPECT_EQ(Metric("aulm_api_account_suspended"), 0);
}

TEST_F(AulmClientTest, AKeyFileThatHoldsNoKeyStopsCalls) {
  key_ = {"oops\r\nX-Evil: 1", 2};
  const absl::Status status = SendText()->Wait().status();
  EXPECT_EQ(ReasonOf(status), "ACCOUNT_SUSPENDED");
  EXPECT_EQ(OutcomeOf(status), Outcome::kNotSent);
  EXPECT_THAT(transport_.requests(), SizeIs(0));
}

TEST_F(AulmClientTest, SendsAreRefusedWhileAulmCannotBeReached) {
  for (int i = 0; i < 5; ++i) {
    transport_.AnswerNext(HttpFailure{HttpFailure::Reason::kConnect, false, "refused"});
    SendText();
  }
  EXPECT_EQ(Metric("aulm_api_unreachable"), 1);
  const auto observer = SendText();
  const absl::Status refusal = observer->Wait().status();
  EXPECT_TRUE(HasReason(refusal, GatewayReason::kBreakerOpen)) << refusal;
  EXPECT_EQ(OutcomeOf(refusal), Outcome::kNotSent);
  EXPECT_TRUE(RetryDelayOf(refusal).has_value());
  EXPECT_THAT(transport_.requests(), SizeIs(5));
}

TEST_F(AulmClientTest, AStatusReadFindsOutThatAulmCanBeReachedAgain) {
  for (int i = 0; i < 5; ++i) {
    transport_.AnswerNext(HttpFailure{HttpFailure::Reason::kBroken, true, "reset"});
    SendText();
  }
  clock_.Advance(absl::Seconds(1));
  transport_.AnswerNext(Refused(404, "session_not_found"));  // any answer shows it
  SendText();
  ASSERT_THAT(transport_.requests(), SizeIs(6));
  EXPECT_EQ(transport_.requests().back().method, "GET");
  EXPECT_EQ(Metric("aulm_api_unreachable"), 0);
  transport_.AnswerNext(Accepted());
  EXPECT_TRUE(SendText()->Wait().ok());
}

TEST_F(AulmClientTest, ACallersShortPatienceDoesNotShowThatAulmIsGone) {
  for (int i = 0; i < 20; ++i) {
    transport_.AnswerNext(HttpFailure{HttpFailure::Reason::kDeadline, false, "deadline"});
    SendText();
  }
  EXPECT_EQ(Metric("aulm_api_unreachable"), 0);
}

TEST_F(AulmClientTest, AnAddressCooldownIsTold) {
  HttpResponse refused = Refused(429, "too_many_auth_failures");
  refused.headers.emplace_back("retry-after", "60");
  transport_.AnswerNext(refused);
  SendText();
  clock_.Advance(absl::Seconds(20));
  const absl::Status status = SendText()->Wait().status();
  EXPECT_EQ(status.code(), Code::kResourceExhausted);
  EXPECT_EQ(RetryDelayOf(status), absl::Seconds(40));
  EXPECT_EQ(OutcomeOf(status), Outcome::kNotSent);
  EXPECT_THAT(transport_.requests(), SizeIs(1));
}

TEST_F(AulmClientTest, ResultsAreCountedByReason) {
  transport_.AnswerNext(Accepted());
  SendText();
  transport_.AnswerNext(Refused(404, "session_not_found"));
  SendText();
  SendText();
  EXPECT_EQ(Metric("aulm_api_calls_total", "OK"), 1);
  EXPECT_EQ(Metric("aulm_api_calls_total", "SESSION_NOT_FOUND"), 1);
  EXPECT_EQ(Metric("aulm_api_calls_in_flight"), 1);
}

TEST_F(AulmClientTest, LiveIsToldByTheKey) {
  EXPECT_FALSE(client_->live());
  key_ = {"alm_sk_live_secret", 2};
  EXPECT_TRUE(client_->live());
}

TEST_F(AulmClientTest, CreateNamesTheAccountAndTheRemedy) {
  const auto create = [&](std::string base_url, std::string key) {
    AulmClient::Options options;
    options.account = "bank";
    options.base_url = std::move(base_url);
    options.api_key = [key] { return ApiKey{key, 1}; };
    return AulmClient::Create(std::move(options), transport_, std::make_shared<AulmAddress>(), clock_, metrics_)
        .status();
  };
  const absl::Status plain = create("http://api.aulm.io", "alm_sk_test_1");
  EXPECT_EQ(plain.code(), Code::kInvalidArgument);
  EXPECT_THAT(std::string(plain.message()), HasSubstr("account \"bank\": the base URL must be https"));
  const absl::Status key = create("https://api.aulm.io", "sk_secret");
  EXPECT_EQ(key.code(), Code::kInvalidArgument);
  EXPECT_THAT(std::string(key.message()), HasSubstr("account \"bank\": the aulm API key must begin with"));
  EXPECT_FALSE(absl::StrContains(key.message(), "sk_secret"));
}

}  // namespace
}  // namespace aulm::gateway
