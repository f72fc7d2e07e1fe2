#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client_stubs/cpp/tests/aulmctl_test.h"
#include "gmock/gmock.h"
#include "google/rpc/error_details.pb.h"

namespace aulm::gateway::ctl {
namespace {

using grpc::StatusCode;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr char kSession[] = "1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed";
constexpr char kTo[] = "+966512345678";

class AulmctlSendTest : public AulmctlTest {
 protected:
  AulmctlSendTest() {
    gateway_.OnSendText([this](const v1::SendTextRequest& request, v1::SendTextResponse& response) {
      text_ = request;
      v1::SentMessage& message = *response.mutable_message();
      message.set_message_id("sim_42");
      message.set_session_id(request.session_id());
      message.set_to(request.to());
      message.set_status(v1::MESSAGE_STATUS_SENT);
      message.set_simulated(true);
      message.set_request_id("rid-1");
      message.set_aulm_request_id("aulm-1");
      response.mutable_rate_limit()->set_limit(1000);
      response.mutable_rate_limit()->set_remaining(999);
      response.mutable_rate_limit()->mutable_reset_time()->set_seconds(1'800'000'000);
      return grpc::Status::OK;
    });
    gateway_.OnSendImage([this](const v1::SendImageRequest& request, v1::SendImageResponse& response) {
      image_ = request;
      response.mutable_message()->set_message_id("sim_43");
      return grpc::Status::OK;
    });
  }

  std::vector<std::string> Text(std::vector<std::string> more) {
    more.insert(more.begin(), {"send", "text", "--session", kSession, "--to", kTo});
    return more;
  }
  std::vector<std::string> Image(std::vector<std::string> more) {
    more.insert(more.begin(), {"send", "image", "--session", kSession, "--to", kTo});
    return more;
  }
  // A failing SendText with an ErrorInfo of these words and further details.
  void FailText(StatusCode code, const std::string& reason, const std::string& outcome,
                std::vector<const google::protobuf::Message*> details = {}) {
    info_.set_reason(reason);
    info_.set_domain("aulm.io");
    (*info_.mutable_metadata())["outcome"] = outcome;
    (*info_.mutable_metadata())["request_id"] = "rid-1";
    details.push_back(&info_);
    const grpc::Status status = client::StatusWith(code, "it went wrong", details);
    gateway_.OnSendText([status](const auto&, auto&) { return status; });
  }
  std::string File(const std::string& bytes) {
    const std::string path = folder_ + "/photo.jpg";
    std::ofstream(path, std::ios::binary) << bytes;
    return path;
  }

  google::rpc::ErrorInfo info_;
  v1::SendTextRequest text_;
  v1::SendImageRequest image_;
};

TEST_F(AulmctlSendTest, TextPrintsIdStatusAndQuota) {
  const Finished run = aulmctl_.Run(Text({"hello there"}));
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(run.out,
            "message     sim_42\n"
            "status      sent, simulated\n"
            "to          +966512345678\n"
            "request id  rid-1\n"
            "aulm's id   aulm-1\n"
            "quota       999 of 1000 left, resets 2027-01-15T08:00:00.000Z\n");
  EXPECT_EQ(run.err, "");
  EXPECT_EQ(text_.session_id(), kSession);
  EXPECT_EQ(text_.to(), kTo);
  EXPECT_EQ(text_.body(), "hello there");
}

TEST_F(AulmctlSendTest, RequestIdAndLabelsArePassedOn) {
  const Finished run =
      aulmctl_.Run(Text({"--request-id", "order-7", "--label", "campaign=may", "--label", "note=a=b,c", "hi"}));
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(text_.request_id(), "order-7");
  EXPECT_EQ(text_.labels().size(), 2);
  EXPECT_EQ(text_.labels().at("campaign"), "may");
  EXPECT_EQ(text_.labels().at("note"), "a=b,c");
}

TEST_F(AulmctlSendTest, LabelWithoutValueIsAUsageError) {
  const Finished run = aulmctl_.Run(Text({"--label", "campaign", "hi"}));
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_THAT(run.err, AllOf(HasSubstr("--label"), HasSubstr("key=value")));
  EXPECT_EQ(gateway_.calls(), 0);
}

TEST_F(AulmctlSendTest, DashReadsStdinLessItsLineEnd) {
  const Finished run = aulmctl_.Bash(
      absl::StrCat("printf 'two\\nlines\\n' | \"$AULMCTL\" send text --session ", kSession, " --to ", kTo, " -"));
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(text_.body(), "two\nlines");
}

TEST_F(AulmctlSendTest, BodyThatBeginsWithADashFollowsTwoDashes) {
  EXPECT_EQ(aulmctl_.Run(Text({"--", "-5 degrees"})).exit_code, 0);
  EXPECT_EQ(text_.body(), "-5 degrees");
}

TEST_F(AulmctlSendTest, JsonIsTheProtoOnOneLine) {
  const Finished run = aulmctl_.Run(Text({"--json", "hi"}));
  EXPECT_EQ(
      run.out,
      absl::StrCat(R"({"message":{"messageId":"sim_42","sessionId":")", kSession,
                   R"(","to":"+966512345678","status":"MESSAGE_STATUS_SENT","simulated":true,"requestId":"rid-1",)",
                   R"("aulmRequestId":"aulm-1"},)",
                   R"("rateLimit":{"limit":"1000","remaining":"999","resetTime":"2027-01-15T08:00:00Z"}})", "\n"));
}

TEST_F(AulmctlSendTest, MissingBodyIsAUsageErrorWithoutACall) {
  const Finished run = aulmctl_.Run(Text({}));
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_THAT(run.err, HasSubstr("body is required"));
  EXPECT_EQ(gateway_.calls(), 0);
}

TEST_F(AulmctlSendTest, RefusedSendExitsWithOneAndTellsEverything) {
  google::rpc::BadRequest bad;
  bad.add_field_violations()->set_field("to");
  bad.mutable_field_violations(0)->set_description("must be E.164");
  google::rpc::RequestInfo aulm;
  aulm.set_request_id("aulm-9");
  FailText(StatusCode::INVALID_ARGUMENT, "INVALID_REQUEST", "not_sent", {&bad, &aulm});
  const Finished run = aulmctl_.Run(Text({"hi"}));
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_EQ(run.out, "");
  EXPECT_EQ(run.err,
            "aulmctl: INVALID_ARGUMENT INVALID_REQUEST (aulm.io): it went wrong\n"
            "  outcome     not_sent\n"
            "  field       to: must be E.164\n"
            "  request id  rid-1\n"
            "  aulm's id   aulm-9\n");
}

TEST_F(AulmctlSendTest, WhatTheMessageSaysIsNotSaidAgain) {
  google::rpc::BadRequest bad;
  bad.add_field_violations()->set_field("to");
  bad.mutable_field_violations(0)->set_description("must be E.164");
  gateway_.OnSendText([&](const auto&, auto&) {
    return client::StatusWith(StatusCode::INVALID_ARGUMENT, "to: must be E.164", {&bad});
  });
  EXPECT_THAT(aulmctl_.Run(Text({"hi"})).err,
              StartsWith("aulmctl: INVALID_ARGUMENT: \n  outcome     unknown\n  field       to: must be E.164\n"));
  google::rpc::PreconditionFailure failure;
  failure.add_violations()->set_subject("session:1");
  failure.mutable_violations(0)->set_description("pair it");
  gateway_.OnSendText([&](const auto&, auto&) {
    return client::StatusWith(StatusCode::FAILED_PRECONDITION, "not connected: pair it", {&failure});
  });
  EXPECT_THAT(aulmctl_.Run(Text({"hi"})).err, Not(HasSubstr("needs")));
}

TEST_F(AulmctlSendTest, UnknownOutcomeExitsWithThreeAndWarns) {
  FailText(StatusCode::UNKNOWN, "MESSAGING_SERVICE_TIMEOUT", "unknown");
  const Finished run = aulmctl_.Run(Text({"hi"}));
  EXPECT_EQ(run.exit_code, 3);
  EXPECT_THAT(run.err, AllOf(HasSubstr("outcome     unknown"), HasSubstr("may have been sent"),
                             HasSubstr("--request-id rid-1")));
}

TEST_F(AulmctlSendTest, BareUnavailableExitsWithThree) {
  gateway_.OnSendText([](const auto&, auto&) { return grpc::Status(StatusCode::UNAVAILABLE, "connection reset"); });
  const Finished run = aulmctl_.Run(Text({"hi"}));
  EXPECT_EQ(run.exit_code, 3);
  EXPECT_EQ(gateway_.calls(), 1);
}

TEST_F(AulmctlSendTest, NotSentForNowExitsWithFourAndTellsTheWait) {
  google::rpc::RetryInfo retry;
  retry.mutable_retry_delay()->set_seconds(90);
  v1::RateLimit limit;
  limit.set_limit(50);
  limit.mutable_reset_time()->set_seconds(1'800'000'000);
  FailText(StatusCode::RESOURCE_EXHAUSTED, "DAILY_QUOTA_EXCEEDED", "not_sent", {&retry, &limit});
  const Finished run = aulmctl_.Run(Text({"hi"}));
  EXPECT_EQ(run.exit_code, 4);
  EXPECT_THAT(run.err, AllOf(HasSubstr("quota       0 of 50 left, resets 2027-01-15T08:00:00.000Z"),
                             HasSubstr("what to do  repeat in 1m30s")));
}

TEST_F(AulmctlSendTest, ErrorInJsonIsOneObjectOnStderr) {
  google::rpc::RetryInfo retry;
  retry.mutable_retry_delay()->set_seconds(90);
  FailText(StatusCode::UNAVAILABLE, "SERVICE_UNAVAILABLE", "not_sent", {&retry});
  const Finished run = aulmctl_.Run(Text({"--json", "hi"}));
  EXPECT_EQ(run.out, "");
  EXPECT_EQ(run.err,
            R"({"error":{"code":"UNAVAILABLE","reason":"SERVICE_UNAVAILABLE","domain":"aulm.io","outcome":"not_sent",)"
            R"("message":"it went wrong","requestId":"rid-1","retryAfterSeconds":90}})"
            "\n");
}

TEST_F(AulmctlSendTest, GatewayThatIsNotThereIsNotSent) {
  aulmctl_.environment()["AULM_GATEWAY"] = "127.0.0.1:1";
  const Finished run = aulmctl_.Run(Text({"hi"}));
  EXPECT_EQ(run.exit_code, 4);
  EXPECT_THAT(run.err, AllOf(HasSubstr("outcome     not_sent"), HasSubstr("is the gateway running at 127.0.0.1:1?")));
}

TEST_F(AulmctlSendTest, TokenFileIsSentAsBearerToken) {
  std::ofstream(folder_ + "/token") << "secret-token\n";
  EXPECT_EQ(aulmctl_.Run(Text({"--token-file", folder_ + "/token", "hi"})).exit_code, 0);
  EXPECT_EQ(gateway_.metadata().find("authorization")->second, "Bearer secret-token");
}

TEST_F(AulmctlSendTest, MissingTokenFileIsAUsageError) {
  const Finished run = aulmctl_.Run(Text({"--token-file", folder_ + "/none", "hi"}));
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_THAT(run.err, AllOf(HasSubstr(folder_ + "/none"), HasSubstr("No such file")));
}

TEST_F(AulmctlSendTest, TimeoutEndsTheCallWithTheOutcomeUnknown) {
  gateway_.OnSendText([](const auto&, auto&) { return grpc::Status(StatusCode::DEADLINE_EXCEEDED, "too slow"); });
  EXPECT_EQ(aulmctl_.Run(Text({"--timeout", "5s", "hi"})).exit_code, 3);
}

TEST_F(AulmctlSendTest, TimeoutWithoutUnitIsAUsageError) {
  const Finished run = aulmctl_.Run(Text({"--timeout", "5", "hi"}));
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_THAT(run.err, AllOf(HasSubstr("--timeout"), HasSubstr("30s")));
}

TEST_F(AulmctlSendTest, ImageFileGoesAsItsBytes) {
  const std::string bytes("\xff\xd8\xff\x00 jpeg", 9);
  const Finished run = aulmctl_.Run(Image({"--file", File(bytes), "--caption", "look"}));
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_THAT(run.out, HasSubstr("sim_43"));
  EXPECT_EQ(image_.image_data().data(), bytes);
  EXPECT_EQ(image_.caption(), "look");
  EXPECT_EQ(run.err, "");  // no progress where nobody watches
}

TEST_F(AulmctlSendTest, ImageOfFiveMebibytesPasses) {
  EXPECT_EQ(aulmctl_.Run(Image({"--file", File(std::string(5 << 20, 'x'))})).exit_code, 0);
  EXPECT_EQ(image_.image_data().data().size(), 5 << 20);
}

TEST_F(AulmctlSendTest, ImageUrlIsPassedOn) {
  EXPECT_EQ(aulmctl_.Run(Image({"--url", "https://example.com/a.png"})).exit_code, 0);
  EXPECT_EQ(image_.image_url(), "https://example.com/a.png");
}

TEST_F(AulmctlSendTest, ImageNeedsExactlyOneSource) {
  const Finished none = aulmctl_.Run(Image({}));
  EXPECT_EQ(none.exit_code, 2);
  EXPECT_THAT(none.err, HasSubstr("--file or --url"));
  EXPECT_EQ(aulmctl_.Run(Image({"--file", File("x"), "--url", "https://example.com/a.png"})).exit_code, 2);
  EXPECT_EQ(gateway_.calls(), 0);
}

TEST_F(AulmctlSendTest, UnusableImageFilesAreUsageErrors) {
  const Finished missing = aulmctl_.Run(Image({"--file", folder_ + "/none.jpg"}));
  EXPECT_EQ(missing.exit_code, 2);
  EXPECT_THAT(missing.err, HasSubstr("No such file"));
  EXPECT_THAT(aulmctl_.Run(Image({"--file", folder_})).err, HasSubstr("is a directory"));
  EXPECT_THAT(aulmctl_.Run(Image({"--file", File("")})).err, HasSubstr("is empty"));
  EXPECT_THAT(aulmctl_.Run(Image({"--file", File(std::string(8 << 20, 'x'))})).err, HasSubstr("is larger than"));
  EXPECT_EQ(gateway_.calls(), 0);
}

TEST_F(AulmctlSendTest, ProgressIsShownOnATerminal) {
  const std::string path = File(std::string(2'100'000, 'x'));
  // script(1) gives it a terminal.
  const Finished run = aulmctl_.Bash(absl::StrCat("script -qefc \"$AULMCTL send image --session ", kSession, " --to ",
                                                  kTo, " --file ", path, "\" /dev/null"));
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_THAT(run.out, AllOf(HasSubstr("reading "), HasSubstr("sending 2.1 MB"), HasSubstr("sim_43")));
}

}  // namespace
}  // namespace aulm::gateway::ctl
