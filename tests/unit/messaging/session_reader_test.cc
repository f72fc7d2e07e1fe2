#include "service/messaging/session_reader.h"

#include <memory>
#include <optional>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "prometheus/registry.h"
#include "service/aulm/aulm_metrics.h"
#include "service/base/status_details.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_http_transport.h"

namespace aulm::gateway {
namespace {

using testing::SizeIs;

constexpr char kSession[] = "11111111-1111-4111-8111-111111111111";
constexpr char kOther[] = "22222222-2222-4222-8222-222222222222";

HttpResponse State(const std::string& state) {
  return {200, {}, R"({"data": {"session_id": ")" + std::string(kSession) + R"(", "status": ")" + state + R"("}})"};
}

class SessionReaderTest : public testing::Test {
 protected:
  using Got = std::shared_ptr<std::optional<absl::StatusOr<SessionReader::Reading>>>;

  SessionReaderTest() {
    AulmClient::Options options;
    options.account = "default";
    options.base_url = "http://127.0.0.1:9";
    options.api_key = [] { return ApiKey{"alm_sk_live_test", 1}; };
    client_ = *AulmClient::Create(options, transport_, std::make_shared<AulmAddress>(), clock_, metrics_);
  }

  Got Read(absl::Duration limit = absl::Seconds(10), const std::string& session_id = kSession) {
    auto got = std::make_shared<std::optional<absl::StatusOr<SessionReader::Reading>>>();
    reader_->Read(*client_, session_id, clock_.Now() + limit, "",
                  [got](const absl::StatusOr<SessionReader::Reading>& reading) { *got = reading; });
    return got;
  }

  static void ExpectState(const Got& got, const std::string& state) {
    ASSERT_TRUE(got->has_value());
    ASSERT_TRUE((*got)->ok()) << (*got)->status();
    EXPECT_EQ((**got)->status.status, state);
  }

  FakeClock clock_;
  FakeHttpTransport transport_;
  prometheus::Registry registry_;
  AulmMetrics metrics_{registry_};
  std::unique_ptr<AulmClient> client_;
  const std::shared_ptr<SessionReader> reader_ = SessionReader::Create(absl::Seconds(1), clock_);
};

TEST_F(SessionReaderTest, ReadsThatComeTogetherAreOneRequest) {
  const Got first = Read();
  const Got second = Read();
  ASSERT_THAT(transport_.requests(), SizeIs(1));

  transport_.Answer(0, State("connected"));

  ExpectState(first, "connected");
  ExpectState(second, "connected");
  EXPECT_EQ(clock_.pending_timers(), 0u);
}

TEST_F(SessionReaderTest, SessionsAreReadEachForItself) {
  Read();
  Read(absl::Seconds(10), kOther);
  EXPECT_THAT(transport_.requests(), SizeIs(2));
}

TEST_F(SessionReaderTest, ReadingOfAMomentAgoAnswersAgain) {
  transport_.AnswerNext(State("connected"));
  Read();
  clock_.Advance(absl::Milliseconds(999));
  ExpectState(Read(), "connected");
  ASSERT_THAT(transport_.requests(), SizeIs(1));

  clock_.Advance(absl::Milliseconds(1));
  transport_.AnswerNext(State("disconnected"));

  ExpectState(Read(), "disconnected");
}

TEST_F(SessionReaderTest, ErrorIsToldToAllAndNotRemembered) {
  const Got first = Read();
  const Got second = Read();
  transport_.Answer(0, HttpResponse{404, {}, R"({"error": {"code": "session_not_found", "message": "no"}})"});
  EXPECT_TRUE(absl::IsNotFound((*first)->status()));
  EXPECT_TRUE(absl::IsNotFound((*second)->status()));

  transport_.AnswerNext(State("connected"));

  ExpectState(Read(), "connected");
}

TEST_F(SessionReaderTest, WhoeverJoinsKeepsADeadlineOfTheirOwn) {
  const Got patient = Read(absl::Seconds(10));
  const Got hasty = Read(absl::Seconds(1));

  clock_.Advance(absl::Seconds(1));

  EXPECT_TRUE(HasReason((*hasty)->status(), GatewayReason::kCallDeadline));
  EXPECT_FALSE(patient->has_value());
  transport_.Answer(0, State("connected"));
  ExpectState(patient, "connected");
}

TEST_F(SessionReaderTest, WhoeverHasTimeLeftAsksAgainAfterTheFirstOnesDeadline) {
  const Got hasty = Read(absl::Seconds(1));
  const Got patient = Read(absl::Seconds(10));
  clock_.Advance(absl::Seconds(1));

  transport_.Answer(0, HttpFailure{HttpFailure::Reason::kDeadline, /*written=*/true, "late"});

  EXPECT_TRUE(HasReason((*hasty)->status(), GatewayReason::kCallDeadline));
  ASSERT_THAT(transport_.requests(), SizeIs(2));
  transport_.Answer(1, State("connected"));
  ExpectState(patient, "connected");
}

}  // namespace
}  // namespace aulm::gateway
