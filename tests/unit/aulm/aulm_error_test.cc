// Every row of the error mapping: what a caller is told for each answer of aulm's, and for each lack of one.
#include "service/aulm/aulm_error.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "aulm/gateway/v1/rate_limit.pb.h"
#include "google/rpc/error_details.pb.h"
#include "service/base/status_details.h"

namespace aulm::gateway {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using Code = absl::StatusCode;

constexpr char kSession[] = "4c3d2b1a-0000-4000-8000-000000000001";
const absl::Time kNow = absl::FromCivil(absl::CivilSecond(2026, 5, 28, 10, 0, 0), absl::UTCTimeZone());

AulmCall Send() { return {AulmEndpoint::kSendText, "shop", kSession}; }
AulmCall Read() { return {AulmEndpoint::kSessionStatus, "shop", kSession}; }

HttpResponse Response(int status, std::string body, std::vector<std::pair<std::string, std::string>> headers = {}) {
  return HttpResponse{status, std::move(headers), std::move(body)};
}

std::string ErrorJson(absl::string_view code, absl::string_view message = "words") {
  return absl::StrCat(R"({"error":{"code":")", code, R"(","message":")", message, R"("}})");
}

size_t DetailBytes(const absl::Status& status) {
  size_t bytes = status.message().size();
  status.ForEachPayload([&](absl::string_view url, const absl::Cord& value) { bytes += url.size() + value.size(); });
  return bytes;
}

enum class Extra { kNone, kBadRequest, kPreconditionFailure, kResourceInfo, kQuotaFailure };

struct Row {
  const char* code;
  int http;
  Code send;
  Code read;
  const char* outcome;
  Extra extra;
};

class AulmErrorTableTest : public testing::TestWithParam<Row> {};

bool Has(Extra extra, const absl::Status& status) {
  google::rpc::BadRequest bad;
  google::rpc::PreconditionFailure precondition;
  google::rpc::ResourceInfo resource;
  google::rpc::QuotaFailure quota;
  switch (extra) {
    case Extra::kNone:
      return true;
    case Extra::kBadRequest:
      return ReadDetail(status, bad) && bad.field_violations_size() == 1;
    case Extra::kPreconditionFailure:
      return ReadDetail(status, precondition) && precondition.violations_size() == 1;
    case Extra::kResourceInfo:
      return ReadDetail(status, resource) && resource.resource_type() == "session" &&
             resource.resource_name() == kSession;
    case Extra::kQuotaFailure:
      return ReadDetail(status, quota) && quota.violations(0).subject() == "account:shop";
  }
  return false;
}

TEST_P(AulmErrorTableTest, SendHasCodeOutcomeAndDetails) {
  const Row& row = GetParam();
  const absl::Status status =
      ErrorOfAnswer(Response(row.http, ErrorJson(row.code), {{"x-request-id", "id-1"}}), Send(), kNow);
  EXPECT_EQ(status.code(), row.send) << status;
  const auto details = DetailsOf(status);
  ASSERT_TRUE(details.has_value());
  EXPECT_EQ(details->reason, absl::AsciiStrToUpper(row.code));
  EXPECT_EQ(details->domain, "aulm.io");
  EXPECT_EQ(details->metadata.at("outcome"), row.outcome);
  EXPECT_EQ(details->metadata.at("http_status"), absl::StrCat(row.http));
  EXPECT_EQ(AulmRequestIdOf(status), "id-1");
  EXPECT_TRUE(Has(row.extra, status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr(absl::StrCat("SendText: aulm answered ", row.code)));
  EXPECT_THAT(std::string(status.message()), HasSubstr("words"));
  EXPECT_LE(DetailBytes(status), kMaxDetailBytes);
}

TEST_P(AulmErrorTableTest, ReadHasItsCodeAndNoOutcome) {
  const Row& row = GetParam();
  const absl::Status status = ErrorOfAnswer(Response(row.http, ErrorJson(row.code)), Read(), kNow);
  EXPECT_EQ(status.code(), row.read) << status;
  EXPECT_EQ(OutcomeOf(status), std::nullopt);
  EXPECT_EQ(AulmRequestIdOf(status), std::nullopt);
  EXPECT_THAT(std::string(status.message()), Not(HasSubstr("may have been sent")));
}

INSTANTIATE_TEST_SUITE_P(
    Codes, AulmErrorTableTest,
    testing::Values(
        Row{"invalid_json", 400, Code::kInternal, Code::kInternal, "not_sent", Extra::kNone},
        Row{"invalid_request", 400, Code::kInvalidArgument, Code::kInvalidArgument, "not_sent", Extra::kBadRequest},
        Row{"missing_authorization", 401, Code::kInternal, Code::kInternal, "not_sent", Extra::kNone},
        Row{"invalid_authorization", 401, Code::kInternal, Code::kInternal, "not_sent", Extra::kNone},
        Row{"invalid_api_key", 401, Code::kFailedPrecondition, Code::kFailedPrecondition, "not_sent",
            Extra::kPreconditionFailure},
        Row{"api_key_revoked", 401, Code::kFailedPrecondition, Code::kFailedPrecondition, "not_sent",
            Extra::kPreconditionFailure},
        Row{"api_key_expired", 401, Code::kFailedPrecondition, Code::kFailedPrecondition, "not_sent",
            Extra::kPreconditionFailure},
        Row{"account_deactivated", 401, Code::kFailedPrecondition, Code::kFailedPrecondition, "not_sent",
            Extra::kPreconditionFailure},
        Row{"too_many_auth_failures", 429, Code::kResourceExhausted, Code::kResourceExhausted, "not_sent",
            Extra::kNone},
        Row{"session_not_found", 404, Code::kNotFound, Code::kNotFound, "not_sent", Extra::kResourceInfo},
        Row{"session_disabled", 403, Code::kPermissionDenied, Code::kPermissionDenied, "not_sent",
            Extra::kResourceInfo},
        Row{"session_not_allowed", 403, Code::kPermissionDenied, Code::kPermissionDenied, "not_sent",
            Extra::kResourceInfo},
        Row{"session_not_ready", 409, Code::kFailedPrecondition, Code::kFailedPrecondition, "not_sent",
            Extra::kPreconditionFailure},
        Row{"daily_quota_exceeded", 429, Code::kResourceExhausted, Code::kResourceExhausted, "not_sent",
            Extra::kQuotaFailure},
        Row{"trial_quota_exceeded", 429, Code::kResourceExhausted, Code::kResourceExhausted, "not_sent",
            Extra::kQuotaFailure},
        Row{"messaging_service_timeout", 504, Code::kUnknown, Code::kUnavailable, "unknown", Extra::kNone},
        Row{"messaging_service_unreachable", 502, Code::kUnknown, Code::kUnavailable, "unknown", Extra::kNone},
        Row{"messaging_service_error", 502, Code::kUnknown, Code::kUnavailable, "unknown", Extra::kNone},
        Row{"service_unavailable", 503, Code::kUnavailable, Code::kUnavailable, "not_sent", Extra::kNone}),
    [](const auto& test) { return std::string(test.param.code); });

// Codes that are not listed, and bodies that are no error JSON, go by the HTTP status.
struct StatusRow {
  int http;
  Code send;
  Code read;
  const char* outcome;
};

class AulmErrorByHttpStatusTest : public testing::TestWithParam<StatusRow> {};

TEST_P(AulmErrorByHttpStatusTest, UnlistedCodeIsKeptAsReason) {
  const StatusRow& row = GetParam();
  const HttpResponse response = Response(row.http, ErrorJson("brand_new_code"));
  const absl::Status send = ErrorOfAnswer(response, Send(), kNow);
  EXPECT_EQ(send.code(), row.send);
  EXPECT_EQ(ReasonOf(send), "BRAND_NEW_CODE");
  EXPECT_EQ(DetailsOf(send)->domain, "aulm.io");
  EXPECT_EQ(DetailsOf(send)->metadata.at("outcome"), row.outcome);
  EXPECT_EQ(ErrorOfAnswer(response, Read(), kNow).code(), row.read);
}

TEST_P(AulmErrorByHttpStatusTest, AnyOtherBodyIsAnUnexpectedResponse) {
  const StatusRow& row = GetParam();
  const HttpResponse response = Response(row.http, "<html>error</html>");
  const absl::Status send = ErrorOfAnswer(response, Send(), kNow);
  EXPECT_EQ(send.code(), row.send);
  EXPECT_EQ(ReasonOf(send), "UNEXPECTED_RESPONSE");
  EXPECT_EQ(DetailsOf(send)->domain, "aulm-gateway");
  EXPECT_EQ(DetailsOf(send)->metadata.at("outcome"), row.outcome);
  EXPECT_EQ(DetailsOf(send)->metadata.at("http_status"), absl::StrCat(row.http));
  EXPECT_EQ(ErrorOfAnswer(response, Read(), kNow).code(), row.read);
}

INSTANTIATE_TEST_SUITE_P(
    Statuses, AulmErrorByHttpStatusTest,
    testing::Values(StatusRow{301, Code::kUnknown, Code::kUnavailable, "unknown"},
                    StatusRow{303, Code::kUnknown, Code::kUnavailable, "unknown"},
                    StatusRow{400, Code::kInvalidArgument, Code::kInvalidArgument, "not_sent"},
                    StatusRow{401, Code::kFailedPrecondition, Code::kFailedPrecondition, "not_sent"},
                    StatusRow{402, Code::kFailedPrecondition, Code::kFailedPrecondition, "not_sent"},
                    StatusRow{403, Code::kPermissionDenied, Code::kPermissionDenied, "not_sent"},
                    StatusRow{404, Code::kNotFound, Code::kNotFound, "not_sent"},
                    StatusRow{409, Code::kFailedPrecondition, Code::kFailedPrecondition, "not_sent"},
                    StatusRow{413, Code::kInvalidArgument, Code::kInvalidArgument, "not_sent"},
                    StatusRow{418, Code::kFailedPrecondition, Code::kFailedPrecondition, "not_sent"},
                    StatusRow{422, Code::kInvalidArgument, Code::kInvalidArgument, "not_sent"},
                    StatusRow{429, Code::kResourceExhausted, Code::kResourceExhausted, "not_sent"},
                    StatusRow{500, Code::kUnknown, Code::kUnavailable, "unknown"},
                    StatusRow{502, Code::kUnknown, Code::kUnavailable, "unknown"},
                    StatusRow{503, Code::kUnknown, Code::kUnavailable, "unknown"},
                    StatusRow{504, Code::kUnknown, Code::kUnavailable, "unknown"},
                    StatusRow{599, Code::kUnknown, Code::kUnavailable, "unknown"}),
    [](const auto& test) { return absl::StrCat("Http", test.param.http); });

class NotErrorJsonTest : public testing::TestWithParam<const char*> {};

TEST_P(NotErrorJsonTest, IsUnexpectedAndKeepsTheDoubt) {
  const absl::Status status = ErrorOfAnswer(Response(502, GetParam()), Send(), kNow);
  EXPECT_EQ(status.code(), Code::kUnknown);
  EXPECT_EQ(ReasonOf(status), "UNEXPECTED_RESPONSE");
  EXPECT_EQ(OutcomeOf(status), Outcome::kUnknown);
}

INSTANTIATE_TEST_SUITE_P(Bodies, NotErrorJsonTest,
                         testing::Values("", " ", "<!doctype html><h1>502</h1>", R"({"error":{"code":"messaging)",
                                         R"({"error":"text"})", R"({"error":{"code":7}})", R"({"error":{"code":""}})",
                                         R"({"error":{"code":"123"}})", R"({"error":{"message":"no code"}})", "null",
                                         "[]", R"("invalid_request")", R"({"code":"invalid_request"})", "\xff\xfe"));

TEST(AulmErrorTest, TheListedCodeDecidesWhateverItsHttpStatus) {
  EXPECT_EQ(ErrorOfAnswer(Response(500, ErrorJson("session_not_found")), Send(), kNow).code(), Code::kNotFound);
  const absl::Status overloaded = ErrorOfAnswer(Response(500, ErrorJson("service_unavailable")), Send(), kNow);
  EXPECT_EQ(overloaded.code(), Code::kUnavailable);
  EXPECT_EQ(OutcomeOf(overloaded), Outcome::kNotSent);
}

TEST(AulmErrorTest, ExtraFieldsAreIgnored) {
  const absl::Status status = ErrorOfAnswer(
      Response(404, R"({"v":2,"error":{"code":"session_not_found","message":"m","hint":[1,{"a":null}]},"more":true})"),
      Send(), kNow);
  EXPECT_EQ(ReasonOf(status), "SESSION_NOT_FOUND");
}

TEST(AulmErrorTest, AMessageOfTheWrongTypeIsLeftOut) {
  const absl::Status status =
      ErrorOfAnswer(Response(404, R"({"error":{"code":"session_not_found","message":{"a":1}}})"), Send(), kNow);
  EXPECT_EQ(ReasonOf(status), "SESSION_NOT_FOUND");
}

TEST(AulmErrorTest, BytesThatAreNotUtf8AreReplacedInTheMessage) {
  const absl::Status status = ErrorOfAnswer(Response(404, ErrorJson("session_not_found", "a\xffz")), Send(), kNow);
  EXPECT_EQ(ReasonOf(status), "SESSION_NOT_FOUND");
  EXPECT_THAT(std::string(status.message()), HasSubstr("a\xEF\xBF\xBDz"));
}

TEST(AulmErrorTest, NestingBeyondTheLimitIsNotRead) {
  std::string deep = R"({"error":{"code":"session_not_found","message":)";
  for (int i = 0; i < 5000; ++i) deep += '[';
  EXPECT_EQ(ReasonOf(ErrorOfAnswer(Response(404, deep), Send(), kNow)), "UNEXPECTED_RESPONSE");
}

TEST(AulmErrorTest, CodesWithOtherCharactersBecomeUpperSnake) {
  EXPECT_EQ(ReasonOf(ErrorOfAnswer(Response(400, ErrorJson("too-Long.text")), Send(), kNow)), "TOO_LONG_TEXT");
}

TEST(AulmErrorTest, RequestIdComesFromTheHeaderElseTheBody) {
  const std::string body = R"({"error":{"code":"session_not_found","message":"m"},"request_id":"in-body"})";
  EXPECT_EQ(AulmRequestIdOf(ErrorOfAnswer(Response(404, body), Send(), kNow)), "in-body");
  EXPECT_EQ(AulmRequestIdOf(ErrorOfAnswer(Response(404, body, {{"x-request-id", "in-header"}}), Send(), kNow)),
            "in-header");
}

TEST(AulmErrorTest, AVeryLongMessageIsCutAndDetailsStayBounded) {
  const absl::Status status = ErrorOfAnswer(Response(409, ErrorJson("session_not_ready", std::string(100'000, 'x')),
                                                     {{"x-request-id", std::string(5000, 'y')}}),
                                            Send(), kNow);
  EXPECT_LE(DetailBytes(status), kMaxDetailBytes);
  EXPECT_LE(status.message().size(), 512u);
  EXPECT_THAT(std::string(status.message()), HasSubstr("dashboard"));  // ours is not pushed out by theirs
}

TEST(AulmErrorTest, NumbersAndKeysInAulmsWordsAreMasked) {
  const absl::Status status = ErrorOfAnswer(
      Response(400, ErrorJson("invalid_request", "+966512345678 is bad, key alm_sk_live_abcdef too, limit 4096")),
      Send(), kNow);
  const std::string message(status.message());
  EXPECT_THAT(message, Not(HasSubstr("966512345678")));
  EXPECT_THAT(message, Not(HasSubstr("abcdef")));
  EXPECT_THAT(message, HasSubstr("+966…78 is bad, key (key) too, limit 4096"));
}

TEST(AulmErrorTest, SessionErrorsSayWhereItIsMended) {
  for (const char* code : {"session_not_found", "session_not_ready"}) {
    const absl::Status status = ErrorOfAnswer(Response(404, ErrorJson(code)), Send(), kNow);
    EXPECT_THAT(std::string(status.message()), HasSubstr("aulm's dashboard")) << code;
    EXPECT_THAT(std::string(status.message()), HasSubstr(kSession)) << code;
  }
}

TEST(AulmErrorTest, RetryAfterInSecondsBecomesRetryInfo) {
  const absl::Status status =
      ErrorOfAnswer(Response(503, ErrorJson("service_unavailable"), {{"retry-after", "7"}}), Send(), kNow);
  EXPECT_EQ(RetryDelayOf(status), absl::Seconds(7));
  EXPECT_EQ(RetryPushbackMs(status), 7000);
}

TEST(AulmErrorTest, RetryAfterAsADateBecomesRetryInfo) {
  const absl::Status status =
      ErrorOfAnswer(Response(503, ErrorJson("service_unavailable"), {{"retry-after", "Thu, 28 May 2026 10:00:30 GMT"}}),
                    Send(), kNow);
  EXPECT_EQ(RetryDelayOf(status), absl::Seconds(30));
}

TEST(AulmErrorTest, TooManyAuthFailuresTellsItsDelay) {
  const absl::Status status =
      ErrorOfAnswer(Response(429, ErrorJson("too_many_auth_failures"), {{"retry-after", "900"}}), Send(), kNow);
  EXPECT_EQ(RetryDelayOf(status), absl::Minutes(15));
}

TEST(AulmErrorTest, QuotaTellsTheTimeToItsResetWithoutRetryAfter) {
  const absl::Status status = ErrorOfAnswer(Response(429, ErrorJson("daily_quota_exceeded"),
                                                     {{"x-ratelimit-limit", "100"},
                                                      {"x-ratelimit-remaining", "0"},
                                                      {"x-ratelimit-reset", "2026-05-29T00:00:00.000Z"}}),
                                            Send(), kNow);
  EXPECT_EQ(RetryDelayOf(status), absl::Hours(14));
  EXPECT_EQ(RetryPushbackMs(status), -1);
}

TEST(AulmErrorTest, RetryAfterComesBeforeTheReset) {
  const absl::Status status =
      ErrorOfAnswer(Response(429, ErrorJson("trial_quota_exceeded"),
                             {{"retry-after", "60"}, {"x-ratelimit-reset", "2026-05-29T00:00:00.000Z"}}),
                    Send(), kNow);
  EXPECT_EQ(RetryDelayOf(status), absl::Minutes(1));
}

TEST(AulmErrorTest, QuotaHeadersComeAsADetail) {
  const absl::Status status = ErrorOfAnswer(Response(429, ErrorJson("daily_quota_exceeded"),
                                                     {{"x-ratelimit-limit", "100"},
                                                      {"x-ratelimit-remaining", "0"},
                                                      {"x-ratelimit-reset", "2026-05-29T00:00:00.250Z"}}),
                                            Send(), kNow);
  v1::RateLimit limit;
  ASSERT_TRUE(ReadDetail(status, limit));
  EXPECT_EQ(limit.limit(), 100);
  EXPECT_EQ(limit.remaining(), 0);
  EXPECT_EQ(limit.reset_time().seconds(), 1780012800);
  EXPECT_EQ(limit.reset_time().nanos(), 250'000'000);
  EXPECT_TRUE(status.GetPayload("type.googleapis.com/aulm.gateway.v1.RateLimit").has_value());
}

TEST(AulmErrorTest, ADelayOfWhatMustNotBeRepeatedIsLeftOut) {
  const absl::Status status =
      ErrorOfAnswer(Response(504, ErrorJson("messaging_service_timeout"), {{"retry-after", "5"}}), Send(), kNow);
  EXPECT_EQ(RetryDelayOf(status), std::nullopt);
  EXPECT_EQ(RetryPushbackMs(status), -1);
}

TEST(AulmErrorTest, UnreadableSuccessOfASendIsInDoubt) {
  const absl::Status status = UnreadableAnswer(Response(201, "{", {{"x-request-id", "id-1"}}), Send());
  EXPECT_EQ(status.code(), Code::kUnknown);
  EXPECT_EQ(ReasonOf(status), "UNEXPECTED_RESPONSE");
  EXPECT_EQ(OutcomeOf(status), Outcome::kUnknown);
  EXPECT_EQ(DetailsOf(status)->metadata.at("http_status"), "201");
  EXPECT_EQ(AulmRequestIdOf(status), "id-1");
}

TEST(AulmErrorTest, UnreadableSuccessOfAReadMayBeRepeated) {
  const absl::Status status = UnreadableAnswer(Response(200, ""), Read());
  EXPECT_EQ(status.code(), Code::kUnavailable);
  EXPECT_EQ(OutcomeOf(status), std::nullopt);
}

struct FailureRow {
  const char* name;
  HttpFailure::Reason failure;
  bool written;
  Code send;
  const char* send_reason;
  const char* outcome;
  Code read;
  const char* read_reason;
};

class AulmFailureTest : public testing::TestWithParam<FailureRow> {};

TEST_P(AulmFailureTest, SendHasReasonAndOutcome) {
  const FailureRow& row = GetParam();
  const absl::Status status = ErrorOfFailure({row.failure, row.written, "why"}, Send());
  EXPECT_EQ(status.code(), row.send) << status;
  const auto details = DetailsOf(status);
  EXPECT_EQ(details->reason, row.send_reason);
  EXPECT_EQ(details->domain, "aulm-gateway");
  EXPECT_EQ(details->metadata.at("outcome"), row.outcome);
  EXPECT_EQ(details->metadata.count("http_status"), 0u);
}

TEST_P(AulmFailureTest, ReadHasReasonAndNoOutcome) {
  const FailureRow& row = GetParam();
  const absl::Status status = ErrorOfFailure({row.failure, row.written, "why"}, Read());
  EXPECT_EQ(status.code(), row.read) << status;
  EXPECT_EQ(ReasonOf(status), row.read_reason);
  EXPECT_EQ(OutcomeOf(status), std::nullopt);
}

using Reason = HttpFailure::Reason;
INSTANTIATE_TEST_SUITE_P(
    Failures, AulmFailureTest,
    testing::Values(FailureRow{"NeverConnected", Reason::kConnect, false, Code::kUnavailable, "CONNECT_FAILED",
                               "not_sent", Code::kUnavailable, "CONNECT_FAILED"},
                    FailureRow{"BrokenBeforeTheBody", Reason::kBroken, false, Code::kUnavailable, "CONNECT_FAILED",
                               "not_sent", Code::kUnavailable, "SEND_OUTCOME_UNKNOWN"},
                    FailureRow{"BrokenAfterTheBody", Reason::kBroken, true, Code::kUnknown, "SEND_OUTCOME_UNKNOWN",
                               "unknown", Code::kUnavailable, "SEND_OUTCOME_UNKNOWN"},
                    FailureRow{"DeadlineBeforeTheBody", Reason::kDeadline, false, Code::kDeadlineExceeded,
                               "CALL_DEADLINE", "not_sent", Code::kDeadlineExceeded, "CALL_DEADLINE"},
                    FailureRow{"SettleLimit", Reason::kDeadline, true, Code::kUnknown, "SEND_OUTCOME_UNKNOWN",
                               "unknown", Code::kDeadlineExceeded, "CALL_DEADLINE"},
                    FailureRow{"CanceledBeforeTheBody", Reason::kCanceled, false, Code::kCancelled, "CALL_CANCELLED",
                               "not_sent", Code::kCancelled, "CALL_CANCELLED"},
                    FailureRow{"StoppedBeforeTheBody", Reason::kStopped, false, Code::kUnavailable, "DRAINING",
                               "not_sent", Code::kUnavailable, "DRAINING"},
                    FailureRow{"StoppedAfterTheBody", Reason::kStopped, true, Code::kUnknown, "SEND_OUTCOME_UNKNOWN",
                               "unknown", Code::kUnavailable, "DRAINING"}),
    [](const auto& test) { return std::string(test.param.name); });

TEST(AulmErrorTest, DetachedSendIsADeadlineWithAnUnknownOutcome) {
  const absl::Status status = DetachedError(Send(), /*deadline_passed=*/true);
  EXPECT_EQ(status.code(), Code::kDeadlineExceeded);
  EXPECT_EQ(ReasonOf(status), "CALL_DEADLINE");
  EXPECT_EQ(OutcomeOf(status), Outcome::kUnknown);
}

TEST(AulmErrorTest, DetachedByItsCallerIsCancelledWithAnUnknownOutcome) {
  const absl::Status status = DetachedError(Send(), /*deadline_passed=*/false);
  EXPECT_EQ(status.code(), Code::kCancelled);
  EXPECT_EQ(OutcomeOf(status), Outcome::kUnknown);
}

}  // namespace
}  // namespace aulm::gateway
