#include <string>

#include "absl/strings/str_cat.h"
#include "client_stubs/cpp/tests/aulmctl_test.h"
#include "gmock/gmock.h"

namespace aulm::gateway::ctl {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class AulmctlGeneralTest : public AulmctlTest {
 protected:
  // What bash would offer after `words`, an array literal whose last word is the one to complete.
  std::string Complete(const std::string& words) {
    const Finished run =
        aulmctl_.Bash(absl::StrCat("source <(\"$AULMCTL\" completion bash); COMP_WORDS=(", words,
                                   "); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _aulmctl; echo \"${COMPREPLY[*]}\""));
    EXPECT_EQ(run.exit_code, 0) << run.err;
    return run.out;
  }
};

TEST_F(AulmctlGeneralTest, VersionIsOneLine) {
  const Finished run = aulmctl_.Run({"--version"});
  EXPECT_EQ(run.exit_code, 0);
  EXPECT_THAT(run.out, StartsWith("aulmctl "));
}

TEST_F(AulmctlGeneralTest, HelpNamesCommandsGlobalFlagsAndExitCodes) {
  const Finished run = aulmctl_.Run({"--help"});
  EXPECT_EQ(run.exit_code, 0);
  EXPECT_THAT(run.out, AllOf(HasSubstr("send"), HasSubstr("events"), HasSubstr("--gateway HOST:PORT"),
                             HasSubstr("AULM_GATEWAY"), HasSubstr("Exit codes:")));
}

TEST_F(AulmctlGeneralTest, EachCommandHasItsHelp) {
  const Finished run = aulmctl_.Run({"events", "follow", "--help"});
  EXPECT_EQ(run.exit_code, 0);
  EXPECT_THAT(run.out, AllOf(HasSubstr("--cursor-file FILE"), HasSubstr("--test include|exclude|only"),
                             HasSubstr("aulmctl --help"), HasSubstr("Exit codes:")));
}

TEST_F(AulmctlGeneralTest, NoCommandAndUnknownFlagsAreUsageErrors) {
  EXPECT_EQ(aulmctl_.Run({}).exit_code, 2);
  EXPECT_EQ(aulmctl_.Run({"send"}).exit_code, 2);
  EXPECT_EQ(aulmctl_.Run({"events", "read", "--nope"}).exit_code, 2);
  EXPECT_EQ(aulmctl_.Run({"event"}).exit_code, 2);
}

TEST_F(AulmctlGeneralTest, SessionStatusShowsAulmsWord) {
  gateway_.OnGetSessionStatus([](const v1::GetSessionStatusRequest& request, v1::GetSessionStatusResponse& response) {
    response.mutable_session()->set_session_id(request.session_id());
    response.mutable_session()->set_aulm_state("awaiting_scan");
    response.mutable_session()->mutable_observed_time()->set_seconds(1'800'000'000);
    return grpc::Status::OK;
  });
  const Finished run = aulmctl_.Run({"session", "status", "s-1"});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(run.out, "session   s-1\nstate     awaiting_scan\nobserved  2027-01-15T08:00:00.000Z\n");
}

TEST_F(AulmctlGeneralTest, GlobalFlagsMayStandAnywhereAndGoBeforeTheEnvironment) {
  gateway_.OnGetSessionStatus([](const auto&, auto&) { return grpc::Status::OK; });
  aulmctl_.environment()["AULM_GATEWAY"] = "127.0.0.1:1";
  EXPECT_EQ(aulmctl_.Run({"--gateway", gateway_.address(), "session", "status", "s-1"}).exit_code, 0);
  EXPECT_EQ(aulmctl_.Run({"session", "status", "s-1", "--gateway", gateway_.address()}).exit_code, 0);
}

TEST_F(AulmctlGeneralTest, FailedReadHasNoOutcome) {
  gateway_.OnGetSessionStatus([](const auto&, auto&) { return grpc::Status(grpc::StatusCode::NOT_FOUND, "no such"); });
  const Finished run = aulmctl_.Run({"session", "status", "s-1"});
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_EQ(run.err, "aulmctl: NOT_FOUND: no such\n");
}

TEST_F(AulmctlGeneralTest, UnauthenticatedPointsAtTheTokenFile) {
  gateway_.OnGetSessionStatus(
      [](const auto&, auto&) { return grpc::Status(grpc::StatusCode::UNAUTHENTICATED, "who are you?"); });
  EXPECT_THAT(aulmctl_.Run({"session", "status", "s-1"}).err, HasSubstr("--token-file"));
}

TEST_F(AulmctlGeneralTest, CertificateWithoutKeyIsAUsageError) {
  const Finished run = aulmctl_.Run({"session", "status", "s-1", "--tls-cert", "/etc/hostname"});
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_THAT(run.err, HasSubstr("certificate and its key go together"));
}

TEST_F(AulmctlGeneralTest, CompletionOffersCommands) {
  EXPECT_THAT(Complete("aulmctl ''"), StartsWith("send session events subscriptions completion --"));
  EXPECT_EQ(Complete("aulmctl se"), "send session\n");
  EXPECT_EQ(Complete("aulmctl send t"), "text\n");
  EXPECT_EQ(Complete("aulmctl --gateway host:1 events f"), "follow\n");
}

TEST_F(AulmctlGeneralTest, CompletionOffersTheCommandsFlagsAndTheGlobalOnes) {
  EXPECT_EQ(Complete("aulmctl events follow --c"), "--cursor-file --count --consumer\n");
  EXPECT_EQ(Complete("aulmctl events read --t"),
            "--token-file --tls --tls-ca --tls-cert --tls-key --timeout --type --test\n");
}

TEST_F(AulmctlGeneralTest, CompletionOffersTheWordsOfAFlag) {
  EXPECT_EQ(Complete("aulmctl events follow --test ''"), "include exclude only\n");
  EXPECT_EQ(Complete("aulmctl events follow --from e"), "earliest\n");
  EXPECT_EQ(Complete("aulmctl events read --status = d"), "delivered\n");
  EXPECT_EQ(Complete("aulmctl events read --status ="), "sent delivered read played failed\n");
}

TEST_F(AulmctlGeneralTest, CompletionOffersFilesWhereAFileIsWanted) {
  EXPECT_EQ(Complete("aulmctl send image --file /etc/hostn"), "/etc/hostname\n");
}

TEST_F(AulmctlGeneralTest, CompletionLeavesFreeTextAlone) { EXPECT_EQ(Complete("aulmctl send text --to ''"), "\n"); }

}  // namespace
}  // namespace aulm::gateway::ctl
