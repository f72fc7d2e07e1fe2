// Every row of the error table, over the wire: aulm's answer goes in at one end, the gRPC status comes out at the
// other.
#include <gmock/gmock.h>

#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "tests/integration/gateway/gateway_fixture.h"
#include "tests/support/raw_call.h"

namespace aulm::gateway {
namespace {

// What a client sees of an error.
struct SeenError {
  grpc::StatusCode code = grpc::StatusCode::OK;
  std::string reason;
  std::string domain;
  std::map<std::string, std::string> metadata;
  std::set<std::string> details;  // names of the detail messages
  std::string aulm_request_id;
  std::map<std::string, std::string> trailers;
  size_t detail_bytes = 0;
};

SeenError See(const grpc::Status& status, const grpc::ClientContext& context) {
  SeenError seen;
  seen.code = status.error_code();
  seen.detail_bytes = status.error_details().size();
  google::rpc::Status details;
  EXPECT_TRUE(details.ParseFromString(status.error_details()));
  for (const google::protobuf::Any& any : details.details()) {
    seen.details.insert(any.type_url().substr(any.type_url().rfind('.') + 1));
    google::rpc::ErrorInfo info;
    if (any.UnpackTo(&info)) {
      seen.reason = info.reason();
      seen.domain = info.domain();
      seen.metadata.insert(info.metadata().begin(), info.metadata().end());
    }
    google::rpc::RequestInfo request;
    if (any.UnpackTo(&request)) seen.aulm_request_id = request.request_id();
  }
  for (const auto& [name, value] : context.GetServerTrailingMetadata()) {
    seen.trailers[std::string(name.data(), name.size())] = std::string(value.data(), value.size());
  }
  return seen;
}

struct Row {
  std::string name;
  std::string number;  // of the simulator's magic ones
  grpc::StatusCode code;
  std::string reason;
  std::string outcome;
  std::string http_status;
  std::set<std::string> details;  // beside ErrorInfo and RequestInfo
  std::string pushback;           // "-1", "some" or "none"
};

class SendErrorTest : public GatewayTest, public testing::WithParamInterface<Row> {};

TEST_P(SendErrorTest, ArrivesTyped) {
  StartGateway();
  const Row& row = GetParam();
  grpc::ClientContext context;
  SetLimit(context);
  v1::SendTextResponse response;
  v1::SendTextRequest request = Text(row.number);
  request.set_request_id("caller-1");

  const SeenError seen = See(messaging_->SendText(&context, request, &response), context);

  EXPECT_EQ(seen.code, row.code);
  EXPECT_EQ(seen.reason, row.reason);
  EXPECT_EQ(seen.domain, "aulm.io");
  EXPECT_EQ(seen.metadata.at("outcome"), row.outcome);
  EXPECT_EQ(seen.metadata.at("http_status"), row.http_status);
  EXPECT_EQ(seen.metadata.at("request_id"), "caller-1");
  EXPECT_FALSE(seen.aulm_request_id.empty());
  EXPECT_EQ(seen.trailers.at("x-request-id"), seen.aulm_request_id);
  std::set<std::string> expected = row.details;
  expected.insert({"ErrorInfo", "RequestInfo"});
  EXPECT_EQ(seen.details, expected);
  const auto pushback = seen.trailers.find("grpc-retry-pushback-ms");
  if (row.pushback == "none") {
    EXPECT_EQ(pushback, seen.trailers.end());
  } else if (row.pushback == "some") {
    ASSERT_NE(pushback, seen.trailers.end());
    EXPECT_GT(std::stoi(pushback->second), 0);
  } else {
    ASSERT_NE(pushback, seen.trailers.end());
    EXPECT_EQ(pushback->second, row.pushback);
  }
  EXPECT_LE(seen.detail_bytes, 2048u);
}

class UnreadableSendTest : public GatewayTest {
 protected:
  // What SendText or SendImage says to these bytes.
  SeenError Send(const std::string& method, const std::string& bytes) {
    grpc::ClientContext context;
    SetLimit(context);
    const grpc::Status status =
        CallWithBytes(channel_, absl::StrCat("/aulm.gateway.v1.MessagingService/", method), bytes, context);
    message_ = status.error_message();
    return See(status, context);
  }

  std::string message_;
};

TEST_F(UnreadableSendTest, IsRefusedByName) {
  StartGateway();
  v1::SendTextRequest text = Text("+966512345678");
  text.set_request_id("caller-1");
  const std::string good = text.SerializeAsString();
  const std::string bad_body = std::string("\x1a\x02") + "a\xff";                    // body
  const std::string bad_label = std::string("\x2a\x07\x0a\x01k\x12\x02") + "a\xff";  // labels

  const SeenError seen = Send("SendText", good + bad_body + bad_label);
  EXPECT_EQ(seen.code, grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(seen.reason, "INVALID_FIELD");
  EXPECT_EQ(seen.metadata.at("outcome"), "not_sent");
  EXPECT_FALSE(seen.metadata.at("request_id").empty());
  EXPECT_EQ(message_, "body: must be UTF-8; labels.value: must be UTF-8");

  EXPECT_EQ(Send("SendText", good + "\x1a\x7f").code, grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(message_, "the request is no SendTextRequest, or one of its strings is not UTF-8");
  EXPECT_EQ(Send("SendImage", "\x0a\x7f").metadata.at("outcome"), "not_sent");
  EXPECT_EQ(message_, "the request is no SendImageRequest, or one of its strings is not UTF-8");
}

using grpc::StatusCode;
INSTANTIATE_TEST_SUITE_P(
    Table, SendErrorTest,
    testing::Values(
        Row{"InvalidJson", "+999000000400", StatusCode::INTERNAL, "INVALID_JSON", "not_sent", "400", {}, "none"},
        Row{"InvalidRequest",
            "+999000001400",
            StatusCode::INVALID_ARGUMENT,
            "INVALID_REQUEST",
            "not_sent",
            "400",
            {"BadRequest"},
            "none"},
        Row{"MissingAuthorization",
            "+999000000401",
            StatusCode::INTERNAL,
            "MISSING_AUTHORIZATION",
            "not_sent",
            "401",
            {},
            "none"},
        Row{"InvalidAuthorization",
            "+999000001401",
            StatusCode::INTERNAL,
            "INVALID_AUTHORIZATION",
            "not_sent",
            "401",
            {},
            "none"},
        Row{"InvalidApiKey",
            "+999000002401",
            StatusCode::FAILED_PRECONDITION,
            "INVALID_API_KEY",
            "not_sent",
            "401",
            {"PreconditionFailure"},
            "none"},
        Row{"ApiKeyRevoked",
            "+999000003401",
            StatusCode::FAILED_PRECONDITION,
            "API_KEY_REVOKED",
            "not_sent",
            "401",
            {"PreconditionFailure"},
            "none"},
        Row{"ApiKeyExpired",
            "+999000004401",
            StatusCode::FAILED_PRECONDITION,
            "API_KEY_EXPIRED",
            "not_sent",
            "401",
            {"PreconditionFailure"},
            "none"},
        Row{"AccountDeactivated",
            "+999000005401",
            StatusCode::FAILED_PRECONDITION,
            "ACCOUNT_DEACTIVATED",
            "not_sent",
            "401",
            {"PreconditionFailure"},
            "none"},
        Row{"SessionDisabled",
            "+999000000403",
            StatusCode::PERMISSION_DENIED,
            "SESSION_DISABLED",
            "not_sent",
            "403",
            {"ResourceInfo"},
            "none"},
        Row{"SessionNotAllowed",
            "+999000001403",
            StatusCode::PERMISSION_DENIED,
            "SESSION_NOT_ALLOWED",
            "not_sent",
            "403",
            {"ResourceInfo"},
            "none"},
        Row{"SessionNotFound",
            "+999000000404",
            StatusCode::NOT_FOUND,
            "SESSION_NOT_FOUND",
            "not_sent",
            "404",
            {"ResourceInfo"},
            "none"},
        Row{"SessionNotReady",
            "+999000000409",
            StatusCode::FAILED_PRECONDITION,
            "SESSION_NOT_READY",
            "not_sent",
            "409",
            {"PreconditionFailure"},
            "none"},
        Row{"TooManyAuthFailures",
            "+999000000429",
            StatusCode::RESOURCE_EXHAUSTED,
            "TOO_MANY_AUTH_FAILURES",
            "not_sent",
            "429",
            {"RetryInfo"},
            "some"},
        Row{"DailyQuotaExceeded",
            "+999000001429",
            StatusCode::RESOURCE_EXHAUSTED,
            "DAILY_QUOTA_EXCEEDED",
            "not_sent",
            "429",
            {"QuotaFailure", "RetryInfo", "RateLimit"},
            "-1"},
        Row{"TrialQuotaExceeded",
            "+999000002429",
            StatusCode::RESOURCE_EXHAUSTED,
            "TRIAL_QUOTA_EXCEEDED",
            "not_sent",
            "429",
            {"QuotaFailure", "RetryInfo", "RateLimit"},
            "-1"},
        Row{"MessagingServiceUnreachable",
            "+999000000502",
            StatusCode::UNKNOWN,
            "MESSAGING_SERVICE_UNREACHABLE",
            "unknown",
            "502",
            {},
            "-1"},
        Row{"MessagingServiceError",
            "+999000001502",
            StatusCode::UNKNOWN,
            "MESSAGING_SERVICE_ERROR",
            "unknown",
            "502",
            {},
            "-1"},
        Row{"ServiceUnavailable",
            "+999000000503",
            StatusCode::UNAVAILABLE,
            "SERVICE_UNAVAILABLE",
            "not_sent",
            "503",
            {"RetryInfo"},
            "some"},
        Row{"MessagingServiceTimeout",
            "+999000000504",
            StatusCode::UNKNOWN,
            "MESSAGING_SERVICE_TIMEOUT",
            "unknown",
            "504",
            {},
            "-1"}),
    [](const auto& test) { return test.param.name; });

TEST_F(GatewayTest, LostAnswerIsUnknownAndAulmSawTheSendOnce) {
  StartGateway();
  grpc::ClientContext context;
  SetLimit(context);
  v1::SendTextResponse response;

  const SeenError seen = See(messaging_->SendText(&context, Text("+999000000005"), &response), context);

  EXPECT_EQ(seen.code, StatusCode::UNKNOWN);
  EXPECT_EQ(seen.reason, "SEND_OUTCOME_UNKNOWN");
  EXPECT_EQ(seen.domain, "aulm-gateway");
  EXPECT_EQ(seen.metadata.at("outcome"), "unknown");
  EXPECT_FALSE(seen.metadata.at("request_id").empty());
  EXPECT_EQ(seen.trailers.at("grpc-retry-pushback-ms"), "-1");
  const auto requests = simulator_->control().Requests();
  ASSERT_TRUE(requests.ok());
  EXPECT_EQ(requests->size(), 1u);
}

TEST_F(GatewayTest, NobodyListeningIsNotSent) {
  options_.aulm_base_url = "http://127.0.0.1:9";
  StartGateway();
  grpc::ClientContext context;
  SetLimit(context);
  v1::SendTextResponse response;

  const SeenError seen = See(messaging_->SendText(&context, Text("+966512345678"), &response), context);

  EXPECT_EQ(seen.code, StatusCode::UNAVAILABLE);
  EXPECT_EQ(seen.reason, "CONNECT_FAILED");
  EXPECT_EQ(seen.metadata.at("outcome"), "not_sent");
}

TEST_F(GatewayTest, BadFieldsAreAllNamedAndAulmIsNotAsked) {
  StartGateway();
  grpc::ClientContext context;
  SetLimit(context);
  v1::SendImageRequest request;
  request.set_session_id("nonsense");
  request.set_to("12345");
  request.set_image_url("https://127.0.0.1/a.png");
  request.set_caption(std::string(1025, 'x'));
  v1::SendImageResponse response;

  const grpc::Status status = messaging_->SendImage(&context, request, &response);

  const SeenError seen = See(status, context);
  EXPECT_EQ(seen.code, StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(seen.reason, "INVALID_FIELD");
  EXPECT_EQ(seen.metadata.at("outcome"), "not_sent");
  for (const char* field : {"session_id", "to", "image_url", "caption"}) {
    EXPECT_THAT(status.error_message(), testing::HasSubstr(field));
  }
  const auto requests = simulator_->control().Requests();
  ASSERT_TRUE(requests.ok());
  EXPECT_EQ(requests->size(), 0u);
}

TEST_F(GatewayTest, DeadlineAfterTheRequestWasWrittenIsUnknownAndComesBeforeTheDeadline) {
  auto slow = simulator::SimulatorProcess::Start({"--slow-ms=600000"});
  ASSERT_TRUE(slow.ok());
  options_.aulm_base_url = (*slow)->base_url();
  StartGateway();
  grpc::ClientContext context;
  SetLimit(context, absl::Milliseconds(1500));
  v1::SendTextResponse response;

  const SeenError seen = See(messaging_->SendText(&context, Text("+999000000007"), &response), context);

  // gRPC's own DEADLINE_EXCEEDED has no details: that ours arrived proves that it came first.
  EXPECT_EQ(seen.code, StatusCode::DEADLINE_EXCEEDED);
  EXPECT_EQ(seen.reason, "CALL_DEADLINE");
  EXPECT_EQ(seen.metadata.at("outcome"), "unknown");
}

}  // namespace
}  // namespace aulm::gateway
