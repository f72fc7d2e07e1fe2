#include "service/messaging/session_watch.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "aulm/gateway/v1/event.pb.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "prometheus/text_serializer.h"
#include "service/aulm/aulm_metrics.h"
#include "service/base/status_details.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_event_log.h"
#include "tests/support/fake_http_transport.h"
#include "tests/support/fake_random.h"
#include "tests/support/fake_state_store.h"
#include "tests/support/store_calls.h"

namespace aulm::gateway {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr char kSession[] = "11111111-1111-4111-8111-111111111111";
constexpr absl::Duration kInterval = absl::Minutes(1);
// Without chance, one poll comes in each.
constexpr absl::Duration kOnePoll = absl::Seconds(60);

HttpResponse State(const std::string& state) {
  return {200, {}, R"({"data": {"session_id": ")" + std::string(kSession) + R"(", "status": ")" + state + R"("}})"};
}

// The watch of one session over everything in memory. Without chance, it polls each minute on the minute.
class SessionWatchTest : public testing::Test {
 protected:
  SessionWatchTest() {
    AulmClient::Options options;
    options.account = "default";
    options.base_url = "http://127.0.0.1:9";
    options.api_key = [] { return ApiKey{"alm_sk_live_test", 1}; };
    client_ = *AulmClient::Create(options, transport_, std::make_shared<AulmAddress>(), clock_, metrics_);
    random_.uniform = 0.5;
    Restart("replica-1");
  }

  ~SessionWatchTest() override { Stop(); }

  void Stop() {
    watch_->Stop();
    lease_->Stop();
  }

  // A new process with the same store and log.
  void Restart(const std::string& owner, bool sole_owner = true) {
    watch_.reset();
    lease_ = Lease::Create({.name = "session_watch", .owner = owner, .sole_owner = sole_owner}, store_, clock_);
    reader_ = SessionReader::Create(absl::Seconds(1), clock_);
    watch_ = SessionWatch::Create({*reader_, silence_, *lease_, log_, store_, clock_, random_,
                                   [](absl::AnyInvocable<void()&&> job) { std::move(job)(); }},
                                  {{client_.get(), kSession, kInterval, absl::Minutes(10)}}, registry_.emplace());
    reader_->Observe([this](absl::string_view account, absl::string_view session_id,
                            const SessionReader::Reading& reading) { watch_->Note(account, session_id, reading); });
    lease_->Start();
    watch_->Start();
  }

  // Until the next poll is over, which reads `state`.
  void PollReads(const std::string& state) {
    const size_t before = transport_.requests().size();
    transport_.AnswerNext(State(state));
    for (int seconds = 0; seconds < 120 && transport_.requests().size() == before; ++seconds) {
      clock_.Advance(absl::Seconds(1));
    }
    ASSERT_EQ(transport_.requests().size(), before + 1);
  }

  std::vector<v1::Event> Events() const {
    std::vector<v1::Event> events;
    for (const NewEvent& stored : log_.stored()) {
      v1::Event event;
      EXPECT_TRUE(event.ParseFromString(stored.event));
      if (stored.type == v1::EVENT_TYPE_SESSION_STATE) events.push_back(event);
    }
    return events;
  }

  void SendThrice() {
    for (int i = 0; i < SessionSilence::kFewestSends; ++i) silence_.NoteSent("default", kSession, clock_.Now());
  }

  // A status of the session that comes in at another replica: only the log tells of it.
  void LogStatus() {
    NewEvent event;
    event.account = "default";
    event.session_id = kSession;
    event.type = v1::EVENT_TYPE_MESSAGE_STATUS;
    ASSERT_TRUE(AppendNow(log_, event).ok());
  }

  void PollFor(absl::Duration time) {
    const absl::Time end = clock_.Now() + time;
    while (clock_.Now() < end) PollReads("connected");
  }

  std::string Metrics() { return prometheus::TextSerializer().Serialize(registry_->Collect()); }

  FakeClock clock_;
  FakeRandom random_;
  FakeStateStore store_{clock_};
  FakeEventLog log_{&clock_};
  FakeHttpTransport transport_;
  prometheus::Registry client_registry_;
  AulmMetrics metrics_{client_registry_};
  std::unique_ptr<AulmClient> client_;
  SessionSilence silence_;
  std::shared_ptr<Lease> lease_;
  std::shared_ptr<SessionReader> reader_;
  std::optional<prometheus::Registry> registry_;
  std::shared_ptr<SessionWatch> watch_;
};

TEST_F(SessionWatchTest, ChangeBecomesAnEvent) {
  PollReads("connected");
  EXPECT_THAT(Events(), IsEmpty()) << "the first state is no change";
  EXPECT_THAT(Metrics(),
              HasSubstr("aulm_session_connected{account=\"default\",session_id=\"" + std::string(kSession) + "\"} 1"));

  PollReads("disconnected");

  const std::vector<v1::Event> events = Events();
  ASSERT_THAT(events, SizeIs(1));
  EXPECT_EQ(events[0].type(), v1::EVENT_TYPE_SESSION_STATE);
  EXPECT_EQ(events[0].event_name(), "session_state");
  EXPECT_EQ(events[0].account(), "default");
  EXPECT_EQ(events[0].session_id(), kSession);
  EXPECT_EQ(events[0].session_state().session().state(), v1::SESSION_STATE_DISCONNECTED);
  EXPECT_EQ(events[0].session_state().session().aulm_state(), "disconnected");
  EXPECT_TRUE(events[0].session_state().session().has_observed_time());
  EXPECT_THAT(Metrics(),
              HasSubstr("aulm_session_connected{account=\"default\",session_id=\"" + std::string(kSession) + "\"} 0"));
}

TEST_F(SessionWatchTest, EachChangeHasADeliveryIdOfItsOwn) {
  for (const char* state : {"connected", "disconnected", "disconnected", "connected", "disconnected"}) PollReads(state);

  const std::vector<v1::Event> events = Events();
  ASSERT_THAT(events, SizeIs(3));
  EXPECT_EQ(events[0].delivery_id(), "session_state/" + std::string(kSession) + "/1");
  EXPECT_EQ(events[2].delivery_id(), "session_state/" + std::string(kSession) + "/3");
}

TEST_F(SessionWatchTest, WordThatIsNotKnownIsAChangeToo) {
  PollReads("connected");
  PollReads("hibernating");

  ASSERT_THAT(Events(), SizeIs(1));
  EXPECT_EQ(Events()[0].session_state().session().state(), v1::SESSION_STATE_OTHER);
  EXPECT_EQ(Events()[0].session_state().session().aulm_state(), "hibernating");
}

TEST_F(SessionWatchTest, StateIsRememberedOverARestart) {
  PollReads("connected");
  Stop();
  Restart("replica-2");
  PollReads("connected");
  EXPECT_THAT(Events(), IsEmpty());

  PollReads("disconnected");

  EXPECT_THAT(Events(), SizeIs(1));
}

TEST_F(SessionWatchTest, EventThatACrashTookIsAppendedOnceByTheNextProcess) {
  PollReads("connected");
  log_.FailAppends(absl::UnavailableError("down"));
  PollReads("disconnected");
  ASSERT_THAT(Events(), IsEmpty());
  log_.FailAppends(absl::OkStatus());
  Stop();
  Restart("replica-2");

  PollReads("disconnected");
  PollReads("disconnected");

  EXPECT_THAT(Events(), SizeIs(1));
}

TEST_F(SessionWatchTest, WhatACallerReadsCountsAsWell) {
  PollReads("connected");
  clock_.Advance(absl::Seconds(10));
  transport_.AnswerNext(State("disconnected"));

  reader_->Read(*client_, kSession, clock_.Now() + absl::Seconds(5), "", [](const auto&) {});

  EXPECT_THAT(Events(), SizeIs(1));
}

TEST_F(SessionWatchTest, FailedReadChangesNothing) {
  PollReads("connected");
  transport_.AnswerNext(HttpResponse{502, {}, R"({"error": {"code": "messaging_service_error", "message": "no"}})"});
  clock_.Advance(kOnePoll);

  EXPECT_THAT(Events(), IsEmpty());
  EXPECT_THAT(Metrics(), HasSubstr("aulm_session_polls_total{result=\"error\"} 1"));
}

TEST_F(SessionWatchTest, RefusedKeyIsNotPolledBeyondTheProbe) {
  transport_.AnswerNext(HttpResponse{401, {}, R"({"error": {"code": "api_key_revoked", "message": "no"}})"});
  for (int i = 0; i < 3; ++i) clock_.Advance(kOnePoll);
  ASSERT_THAT(transport_.requests(), SizeIs(1));

  transport_.AnswerNext(State("connected"));
  for (int i = 0; i < 3; ++i) clock_.Advance(kOnePoll);

  EXPECT_THAT(transport_.requests(), SizeIs(2)) << "one probe after five minutes, then it goes on each minute";
}

TEST_F(SessionWatchTest, OnlyTheReplicaWithTheLeasePolls) {
  PollReads("connected");
  Stop();
  ASSERT_TRUE(WriteNow(store_, {"leases", "session_watch", "another replica", std::nullopt}).ok());
  Restart("replica-2", /*sole_owner=*/false);
  const size_t before = transport_.requests().size();

  for (int i = 0; i < 3; ++i) clock_.Advance(kOnePoll);

  EXPECT_THAT(transport_.requests(), SizeIs(before));
  EXPECT_THAT(Metrics(), HasSubstr("\"} 1")) << "it shows what the other one found";
}

TEST_F(SessionWatchTest, ConnectedSessionWithoutStatusesIsSuspect) {
  PollReads("connected");
  SendThrice();
  PollFor(absl::Minutes(8));
  EXPECT_FALSE(watch_->suspect("default", kSession));

  PollFor(absl::Minutes(4));

  EXPECT_TRUE(watch_->suspect("default", kSession));
  ASSERT_THAT(Events(), SizeIs(1));
  EXPECT_TRUE(Events()[0].session_state().session().suspect());
  EXPECT_EQ(Events()[0].session_state().session().state(), v1::SESSION_STATE_CONNECTED);
  EXPECT_THAT(Metrics(),
              HasSubstr("aulm_session_suspect{account=\"default\",session_id=\"" + std::string(kSession) + "\"} 1"));
}

TEST_F(SessionWatchTest, SuspicionEndsWithTheFirstStatus) {
  PollReads("connected");
  SendThrice();
  PollFor(absl::Minutes(12));
  ASSERT_TRUE(watch_->suspect("default", kSession));

  LogStatus();
  PollReads("connected");

  EXPECT_FALSE(watch_->suspect("default", kSession));
  ASSERT_THAT(Events(), SizeIs(2));
  EXPECT_FALSE(Events()[1].session_state().session().suspect());
  PollFor(absl::Minutes(12));
  EXPECT_THAT(Events(), SizeIs(2)) << "the old silence is over";
}

TEST_F(SessionWatchTest, StatusAtAnotherReplicaClearsTheSession) {
  PollReads("connected");
  SendThrice();
  LogStatus();

  PollFor(absl::Minutes(12));

  EXPECT_FALSE(watch_->suspect("default", kSession));
  EXPECT_THAT(Events(), IsEmpty());
}

TEST_F(SessionWatchTest, SuspicionIsRememberedOverARestart) {
  PollReads("connected");
  SendThrice();
  PollFor(absl::Minutes(12));
  Stop();
  silence_.NoteStatus("default", kSession);  // the new process knows of no sends
  Restart("replica-2");
  PollReads("connected");
  EXPECT_TRUE(watch_->suspect("default", kSession));

  LogStatus();
  PollReads("connected");

  EXPECT_FALSE(watch_->suspect("default", kSession));
}

TEST_F(SessionWatchTest, SessionThatIsNotConnectedIsNotSuspect) {
  PollReads("disconnected");
  SendThrice();
  for (int i = 0; i < 15; ++i) PollReads("disconnected");

  EXPECT_THAT(Events(), IsEmpty());
}

TEST(SessionSilenceTest, BeginsWithTheFirstOfThreeSendsAndEndsWithAnyStatus) {
  SessionSilence silence;
  const absl::Time start = absl::FromUnixSeconds(1'780'000'000);
  for (int i = 0; i < 2; ++i) silence.NoteSent("a", "SESSION", start + absl::Seconds(i));
  EXPECT_EQ(silence.Since("a", "session"), std::nullopt);
  silence.NoteSent("a", "session", start + absl::Seconds(2));
  EXPECT_EQ(silence.Since("a", "session"), start);
  EXPECT_EQ(silence.Since("b", "session"), std::nullopt);

  silence.NoteStatus("a", "session");

  EXPECT_EQ(silence.Since("a", "session"), std::nullopt);
}

}  // namespace
}  // namespace aulm::gateway
