#include "aulm/gateway/client/call_error.h"

#include <string>

#include "absl/strings/escaping.h"
#include "client_stubs/cpp/tests/fake_gateway.h"
#include "google/rpc/error_details.pb.h"
#include "gtest/gtest.h"

namespace aulm::gateway::client {
namespace {

using grpc::StatusCode;

google::rpc::ErrorInfo Info(const std::string& reason) {
  google::rpc::ErrorInfo info;
  info.set_reason(reason);
  info.set_domain("aulm.io");
  return info;
}

TEST(CallErrorTest, CodeAndMessageComeFromTheStatus) {
  const CallError error = ToCallError(grpc::Status(StatusCode::NOT_FOUND, "no such session"));
  EXPECT_EQ(error.code, StatusCode::NOT_FOUND);
  EXPECT_EQ(error.message, "no such session");
  EXPECT_EQ(error.reason, "");
  EXPECT_EQ(error.outcome, Outcome::kNone);
}

TEST(CallErrorTest, ErrorInfoGivesReasonDomainOutcomeAndRequestId) {
  google::rpc::ErrorInfo info = Info("SESSION_NOT_FOUND");
  (*info.mutable_metadata())["outcome"] = "not_sent";
  (*info.mutable_metadata())["request_id"] = "order-7";
  (*info.mutable_metadata())["http_status"] = "404";
  const CallError error = ToCallError(StatusWith(StatusCode::NOT_FOUND, "m", {&info}));
  EXPECT_EQ(error.reason, "SESSION_NOT_FOUND");
  EXPECT_EQ(error.domain, "aulm.io");
  EXPECT_EQ(error.outcome, Outcome::kNotSent);
  EXPECT_EQ(error.request_id, "order-7");
  EXPECT_EQ(error.metadata.at("http_status"), "404");
}

TEST(CallErrorTest, UnknownOutcomeIsKeptApartFromNone) {
  google::rpc::ErrorInfo info = Info("MESSAGING_SERVICE_TIMEOUT");
  (*info.mutable_metadata())["outcome"] = "unknown";
  EXPECT_EQ(ToCallError(StatusWith(StatusCode::UNKNOWN, "m", {&info})).outcome, Outcome::kUnknown);
}

TEST(CallErrorTest, OutcomeOfANewerGatewayIsNone) {
  google::rpc::ErrorInfo info = Info("X");
  (*info.mutable_metadata())["outcome"] = "queued";
  EXPECT_EQ(ToCallError(StatusWith(StatusCode::UNKNOWN, "m", {&info})).outcome, Outcome::kNone);
}

TEST(CallErrorTest, RetryInfoGivesTheWait) {
  google::rpc::RetryInfo retry;
  retry.mutable_retry_delay()->set_seconds(90);
  retry.mutable_retry_delay()->set_nanos(500'000'000);
  const CallError error = ToCallError(StatusWith(StatusCode::UNAVAILABLE, "m", {&retry}));
  EXPECT_EQ(error.retry_after, absl::Milliseconds(90'500));
}

TEST(CallErrorTest, RequestInfoGivesAulmsRequestId) {
  google::rpc::RequestInfo request;
  request.set_request_id("aulm-1");
  EXPECT_EQ(ToCallError(StatusWith(StatusCode::INTERNAL, "m", {&request})).aulm_request_id, "aulm-1");
}

TEST(CallErrorTest, QuotaFailureAndRateLimitAreRead) {
  google::rpc::QuotaFailure failure;
  failure.add_violations()->set_subject("account:default");
  failure.mutable_violations(0)->set_description("daily quota");
  v1::RateLimit limit;
  limit.set_limit(1000);
  limit.set_remaining(0);
  limit.mutable_reset_time()->set_seconds(1'800'000'000);
  const CallError error = ToCallError(StatusWith(StatusCode::RESOURCE_EXHAUSTED, "m", {&failure, &limit}));
  ASSERT_EQ(error.quota_violations.size(), 1);
  EXPECT_EQ(error.quota_violations[0].subject, "account:default");
  EXPECT_EQ(error.quota_violations[0].description, "daily quota");
  ASSERT_TRUE(error.quota.has_value());
  EXPECT_EQ(error.quota->limit(), 1000);
  EXPECT_EQ(error.quota->reset_time().seconds(), 1'800'000'000);
}

TEST(CallErrorTest, BadRequestNamesEveryField) {
  google::rpc::BadRequest bad;
  bad.add_field_violations()->set_field("to");
  bad.mutable_field_violations(0)->set_description("must be E.164");
  bad.add_field_violations()->set_field("body");
  const CallError error = ToCallError(StatusWith(StatusCode::INVALID_ARGUMENT, "m", {&bad}));
  ASSERT_EQ(error.field_violations.size(), 2);
  EXPECT_EQ(error.field_violations[0].subject, "to");
  EXPECT_EQ(error.field_violations[0].description, "must be E.164");
  EXPECT_EQ(error.field_violations[1].subject, "body");
}

TEST(CallErrorTest, PreconditionFailureAndResourceInfoAreRead) {
  google::rpc::PreconditionFailure failure;
  failure.add_violations()->set_subject("session:1");
  failure.mutable_violations(0)->set_description("pair it");
  google::rpc::ResourceInfo resource;
  resource.set_description("pair it in aulm's dashboard");
  const CallError error = ToCallError(StatusWith(StatusCode::FAILED_PRECONDITION, "m", {&failure, &resource}));
  ASSERT_EQ(error.precondition_violations.size(), 1);
  EXPECT_EQ(error.precondition_violations[0].subject, "session:1");
  EXPECT_EQ(error.resource_description, "pair it in aulm's dashboard");
}

TEST(CallErrorTest, EarliestCursorComesAsRawBytes) {
  google::rpc::ErrorInfo info = Info("CURSOR_EXPIRED");
  const std::string cursor("\x01\xff\x00\xfe", 4);
  (*info.mutable_metadata())["earliest_cursor"] = absl::WebSafeBase64Escape(cursor);
  EXPECT_EQ(ToCallError(StatusWith(StatusCode::OUT_OF_RANGE, "m", {&info})).earliest_cursor, cursor);
}

TEST(CallErrorTest, DamagedDetailsLeaveCodeAndMessage) {
  const CallError error = ToCallError(grpc::Status(StatusCode::UNKNOWN, "m", "\xff\xff not a google.rpc.Status"));
  EXPECT_EQ(error.code, StatusCode::UNKNOWN);
  EXPECT_EQ(error.message, "m");
  EXPECT_EQ(error.reason, "");
}

TEST(CallErrorTest, UnknownDetailDoesNotHideTheOthers) {
  google::protobuf::Duration foreign;
  const google::rpc::ErrorInfo info = Info("PACED");
  EXPECT_EQ(ToCallError(StatusWith(StatusCode::RESOURCE_EXHAUSTED, "m", {&foreign, &info})).reason, "PACED");
}

TEST(CallErrorTest, DetailsSurviveARealCall) {
  FakeGateway gateway;
  google::rpc::ErrorInfo info = Info("SESSION_NOT_READY");
  (*info.mutable_metadata())["outcome"] = "not_sent";
  gateway.OnSendText(
      [&](const auto&, auto&) { return StatusWith(StatusCode::FAILED_PRECONDITION, "not connected", {&info}); });
  grpc::ClientContext context;
  v1::SendTextResponse response;
  const auto stub = v1::MessagingService::NewStub(gateway.Channel());
  const CallError error = ToCallError(stub->SendText(&context, v1::SendTextRequest(), &response));
  EXPECT_EQ(error.reason, "SESSION_NOT_READY");
  EXPECT_EQ(error.outcome, Outcome::kNotSent);
}

CallError Bare(StatusCode code) { return ToCallError(grpc::Status(code, "")); }

TEST(SendOutcomeTest, WhatTheGatewayToldHolds) {
  CallError error = Bare(StatusCode::UNAVAILABLE);
  error.outcome = Outcome::kNotSent;
  EXPECT_EQ(SendOutcome(error), Outcome::kNotSent);
}

TEST(SendOutcomeTest, BareUnavailableIsUnknown) {
  EXPECT_EQ(SendOutcome(Bare(StatusCode::UNAVAILABLE)), Outcome::kUnknown);
}

TEST(SendOutcomeTest, BareDeadlineIsUnknown) {
  EXPECT_EQ(SendOutcome(Bare(StatusCode::DEADLINE_EXCEEDED)), Outcome::kUnknown);
}

TEST(SendOutcomeTest, CallThatNobodyTookIsNotSent) {
  for (const StatusCode code :
       {StatusCode::UNIMPLEMENTED, StatusCode::UNAUTHENTICATED, StatusCode::PERMISSION_DENIED}) {
    EXPECT_EQ(SendOutcome(Bare(code)), Outcome::kNotSent) << CodeName(code);
  }
}

TEST(CodeNameTest, NamesEveryCodeAndKeepsForeignNumbers) {
  EXPECT_EQ(CodeName(StatusCode::OK), "OK");
  EXPECT_EQ(CodeName(StatusCode::OUT_OF_RANGE), "OUT_OF_RANGE");
  EXPECT_EQ(CodeName(StatusCode::UNAUTHENTICATED), "UNAUTHENTICATED");
  EXPECT_EQ(CodeName(static_cast<StatusCode>(17)), "CODE_17");
  EXPECT_EQ(CodeName(static_cast<StatusCode>(-1)), "CODE_-1");
}

}  // namespace
}  // namespace aulm::gateway::client
