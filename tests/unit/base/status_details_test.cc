// The error details that every part of the gateway attaches, and the bounds that keep them below 2 KB.
#include "service/base/status_details.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "google/rpc/error_details.pb.h"
#include "service/base/text.h"

namespace aulm::gateway {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

size_t DetailBytes(const absl::Status& status) {
  size_t bytes = status.message().size();
  status.ForEachPayload(
      [&](absl::string_view type_url, const absl::Cord& payload) { bytes += type_url.size() + payload.size(); });
  return bytes;
}

struct ReasonCase {
  GatewayReason reason;
  const char* name;
  absl::StatusCode code;
};

class GatewayErrorTest : public testing::TestWithParam<ReasonCase> {};

TEST_P(GatewayErrorTest, ReasonHasItsCodeAndDomain) {
  const absl::Status status = GatewayError(GetParam().reason, "what to do", {{"key", "value"}});
  EXPECT_EQ(status.code(), GetParam().code);
  EXPECT_EQ(status.message(), "what to do");
  const auto details = DetailsOf(status);
  ASSERT_TRUE(details.has_value());
  EXPECT_EQ(details->reason, GetParam().name);
  EXPECT_EQ(details->domain, "aulm-gateway");
  EXPECT_EQ(details->metadata.at("key"), "value");
  EXPECT_TRUE(HasReason(status, GetParam().reason));
}

INSTANTIATE_TEST_SUITE_P(
    Table, GatewayErrorTest,
    testing::Values(
        ReasonCase{GatewayReason::kConnectFailed, "CONNECT_FAILED", absl::StatusCode::kUnavailable},
        ReasonCase{GatewayReason::kSendOutcomeUnknown, "SEND_OUTCOME_UNKNOWN", absl::StatusCode::kUnknown},
        ReasonCase{GatewayReason::kCallDeadline, "CALL_DEADLINE", absl::StatusCode::kDeadlineExceeded},
        ReasonCase{GatewayReason::kCallCancelled, "CALL_CANCELLED", absl::StatusCode::kCancelled},
        ReasonCase{GatewayReason::kUnexpectedResponse, "UNEXPECTED_RESPONSE", absl::StatusCode::kUnknown},
        ReasonCase{GatewayReason::kAccountSuspended, "ACCOUNT_SUSPENDED", absl::StatusCode::kFailedPrecondition},
        ReasonCase{GatewayReason::kPaced, "PACED", absl::StatusCode::kResourceExhausted},
        ReasonCase{GatewayReason::kOverloaded, "OVERLOADED", absl::StatusCode::kResourceExhausted},
        ReasonCase{GatewayReason::kRequestInFlight, "REQUEST_IN_FLIGHT", absl::StatusCode::kAborted},
        ReasonCase{GatewayReason::kRequestIdReused, "REQUEST_ID_REUSED", absl::StatusCode::kAlreadyExists},
        ReasonCase{GatewayReason::kInvalidField, "INVALID_FIELD", absl::StatusCode::kInvalidArgument},
        ReasonCase{GatewayReason::kCursorExpired, "CURSOR_EXPIRED", absl::StatusCode::kOutOfRange},
        ReasonCase{GatewayReason::kCursorInvalid, "CURSOR_INVALID", absl::StatusCode::kInvalidArgument},
        ReasonCase{GatewayReason::kSubscriptionNotFound, "SUBSCRIPTION_NOT_FOUND", absl::StatusCode::kNotFound},
        ReasonCase{GatewayReason::kSubscriptionExists, "SUBSCRIPTION_EXISTS", absl::StatusCode::kAlreadyExists},
        ReasonCase{GatewayReason::kSubscriptionMode, "SUBSCRIPTION_MODE", absl::StatusCode::kFailedPrecondition},
        ReasonCase{GatewayReason::kDraining, "DRAINING", absl::StatusCode::kUnavailable},
        ReasonCase{GatewayReason::kStoreUnavailable, "STORE_UNAVAILABLE", absl::StatusCode::kUnavailable},
        ReasonCase{GatewayReason::kBreakerOpen, "BREAKER_OPEN", absl::StatusCode::kUnavailable},
        ReasonCase{GatewayReason::kCallerUnknown, "CALLER_UNKNOWN", absl::StatusCode::kUnauthenticated},
        ReasonCase{GatewayReason::kCallerNotAllowed, "CALLER_NOT_ALLOWED", absl::StatusCode::kPermissionDenied},
        ReasonCase{GatewayReason::kMessageNotFound, "MESSAGE_NOT_FOUND", absl::StatusCode::kNotFound},
        ReasonCase{GatewayReason::kAccountNotFound, "ACCOUNT_NOT_FOUND", absl::StatusCode::kNotFound},
        ReasonCase{GatewayReason::kQuotaUsedUp, "QUOTA_USED_UP", absl::StatusCode::kResourceExhausted}),
    [](const auto& test) { return std::string(test.param.name); });

TEST(StatusDetailsTest, PayloadsAreTheStandardMessagesUnderTheirTypeUrls) {
  absl::Status status = GatewayError(GatewayReason::kPaced, "wait");
  SetRetryDelay(status, absl::Milliseconds(1500));
  const auto payload = status.GetPayload("type.googleapis.com/google.rpc.RetryInfo");
  ASSERT_TRUE(payload.has_value());
  google::rpc::RetryInfo info;
  ASSERT_TRUE(info.ParseFromString(std::string(*payload)));
  EXPECT_EQ(info.retry_delay().seconds(), 1);
  EXPECT_EQ(info.retry_delay().nanos(), 500'000'000);
  EXPECT_TRUE(status.GetPayload("type.googleapis.com/google.rpc.ErrorInfo").has_value());
}

TEST(StatusDetailsTest, MetadataSetTwiceKeepsTheLastValue) {
  absl::Status status = GatewayError(GatewayReason::kCallDeadline, "late", {{"request_id", "a"}});
  SetMetadata(status, "request_id", "b");
  EXPECT_EQ(DetailsOf(status)->metadata.at("request_id"), "b");
}

TEST(StatusDetailsTest, OutcomeIsReadBack) {
  absl::Status status = GatewayError(GatewayReason::kCallDeadline, "late");
  EXPECT_EQ(OutcomeOf(status), std::nullopt);
  SetOutcome(status, Outcome::kNotSent);
  EXPECT_EQ(OutcomeOf(status), Outcome::kNotSent);
  EXPECT_EQ(DetailsOf(status)->metadata.at("outcome"), "not_sent");
  SetOutcome(status, Outcome::kUnknown);
  EXPECT_EQ(OutcomeOf(status), Outcome::kUnknown);
  EXPECT_EQ(DetailsOf(status)->metadata.at("outcome"), "unknown");
}

TEST(StatusDetailsTest, GettersOfAnErrorWithoutDetailsAnswerNothing) {
  const absl::Status status = absl::InternalError("bare");
  EXPECT_EQ(DetailsOf(status), std::nullopt);
  EXPECT_EQ(ReasonOf(status), "");
  EXPECT_EQ(OutcomeOf(status), std::nullopt);
  EXPECT_EQ(RetryDelayOf(status), std::nullopt);
  EXPECT_EQ(AulmRequestIdOf(status), std::nullopt);
  EXPECT_THAT(BadFieldsOf(status), ElementsAre());
  EXPECT_FALSE(HasReason(status, GatewayReason::kPaced));
}

TEST(StatusDetailsTest, AnotherDomainsReasonIsNotTheGateways) {
  EXPECT_FALSE(HasReason(ErrorWithInfo(absl::StatusCode::kUnavailable, kAulmDomain, "BREAKER_OPEN", "x"),
                         GatewayReason::kBreakerOpen));
}

TEST(StatusDetailsTest, AnUnreadableDetailAnswersNothing) {
  absl::Status status = absl::InternalError("bare");
  status.SetPayload("type.googleapis.com/google.rpc.ErrorInfo", absl::Cord("\xff\xff"));
  EXPECT_EQ(DetailsOf(status), std::nullopt);
}

TEST(StatusDetailsTest, EverySetterDoesNothingToOk) {
  absl::Status status;
  SetOutcome(status, Outcome::kUnknown);
  SetRetryDelay(status, absl::Seconds(1));
  SetBadField(status, "to", "x");
  EXPECT_EQ(status, absl::OkStatus());
}

TEST(StatusDetailsTest, DetailsStayWithinTwoKilobytesAndKeepTheReason) {
  const std::string long_text(5000, 'x');
  absl::Status status = ErrorWithInfo(absl::StatusCode::kInternal, kAulmDomain, long_text, long_text,
                                      {{"a", long_text}, {"b", long_text}});
  SetPreconditionFailure(status, long_text, long_text, long_text);
  SetResourceInfo(status, long_text, long_text, long_text);
  SetQuotaFailure(status, long_text, long_text);
  SetBadField(status, long_text, long_text);
  SetAulmRequestId(status, long_text);
  SetRetryDelay(status, absl::Hours(1));
  SetMetadata(status, "request_id", std::string(128, 'r'));
  SetOutcome(status, Outcome::kUnknown);
  EXPECT_LE(DetailBytes(status), kMaxDetailBytes);
  EXPECT_EQ(status.message().size(), 512u);
  EXPECT_EQ(ReasonOf(status), std::string(63, 'x'));
  EXPECT_EQ(DetailsOf(status)->metadata.at("request_id"), std::string(128, 'r'));
  EXPECT_EQ(OutcomeOf(status), Outcome::kUnknown);
}

TEST(StatusDetailsTest, TextIsCutBetweenCodePointsAndRepaired) {
  std::string accents = "x";
  for (int i = 0; i < 600; ++i) accents += "é";
  const absl::Status status = GatewayError(GatewayReason::kPaced, accents);
  EXPECT_EQ(status.message().size(), 511u);
  EXPECT_TRUE(CountCodePoints(std::string(status.message())).has_value());
  EXPECT_EQ(GatewayError(GatewayReason::kPaced, "a\xff").message(), "a\xEF\xBF\xBD");
}

TEST(StatusDetailsTest, NegativeDelayIsZero) {
  absl::Status status = GatewayError(GatewayReason::kPaced, "wait");
  SetRetryDelay(status, absl::Seconds(-5));
  EXPECT_EQ(RetryDelayOf(status), absl::ZeroDuration());
}

TEST(RetryPushbackTest, UnknownOutcomeMustNotBeRepeated) {
  absl::Status status = GatewayError(GatewayReason::kSendOutcomeUnknown, "broken");
  SetOutcome(status, Outcome::kUnknown);
  SetRetryDelay(status, absl::Seconds(1));
  EXPECT_EQ(RetryPushbackMs(status), -1);
}

TEST(RetryPushbackTest, QuotaMustNotBeRepeated) {
  absl::Status status = ErrorWithInfo(absl::StatusCode::kResourceExhausted, kAulmDomain, "DAILY_QUOTA_EXCEEDED", "");
  SetRetryDelay(status, absl::Hours(3));
  SetQuotaFailure(status, "account:default", "the day's messages are used up");
  EXPECT_EQ(RetryPushbackMs(status), -1);
}

TEST(RetryPushbackTest, UnavailableTellsItsDelay) {
  absl::Status status = GatewayError(GatewayReason::kConnectFailed, "no connection");
  SetOutcome(status, Outcome::kNotSent);
  EXPECT_EQ(RetryPushbackMs(status), std::nullopt);
  SetRetryDelay(status, absl::Milliseconds(1500));
  EXPECT_EQ(RetryPushbackMs(status), 1500);
}

TEST(RetryPushbackTest, OtherCodesSayNothing) {
  absl::Status status = GatewayError(GatewayReason::kRequestInFlight, "wait");
  SetRetryDelay(status, absl::Seconds(1));
  EXPECT_EQ(RetryPushbackMs(status), std::nullopt);
}

TEST(FieldViolationsTest, NoneIsOk) { EXPECT_EQ(FieldViolations().ToStatus(), absl::OkStatus()); }

TEST(FieldViolationsTest, EveryFieldIsNamedInMessageAndDetail) {
  FieldViolations bad;
  bad.Add("session_id", "must be a UUID");
  bad.Add("to", "must be E.164");
  const absl::Status status = bad.ToStatus(/*is_send=*/true);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(), "session_id: must be a UUID; to: must be E.164");
  EXPECT_EQ(ReasonOf(status), "INVALID_FIELD");
  EXPECT_EQ(OutcomeOf(status), Outcome::kNotSent);
  EXPECT_THAT(BadFieldsOf(status), ElementsAre("session_id", "to"));
}

TEST(FieldViolationsTest, AReadHasNoOutcome) {
  FieldViolations bad;
  bad.Add("session_id", "must be a UUID");
  EXPECT_EQ(OutcomeOf(bad.ToStatus()), std::nullopt);
}

TEST(FieldViolationsTest, FieldsBeyondTheRoomAreCounted) {
  FieldViolations bad;
  for (int i = 0; i < 500; ++i) bad.Add(absl::StrCat("labels[", i, "]"), std::string(100, 'x'));
  const absl::Status status = bad.ToStatus(true);
  EXPECT_LE(DetailBytes(status), kMaxDetailBytes);
  const size_t named = BadFieldsOf(status).size();
  EXPECT_GT(named, 3u);
  EXPECT_THAT(std::string(status.message()), HasSubstr(absl::StrCat("and ", 500 - named, " more")));
}

}  // namespace
}  // namespace aulm::gateway
