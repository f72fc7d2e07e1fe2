#include "service/messaging/sender.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "prometheus/registry.h"
#include "prometheus/text_serializer.h"
#include "service/aulm/aulm_metrics.h"
#include "service/base/status_details.h"
#include "tests/support/failing_bucket.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_http_transport.h"
#include "tests/support/fake_random.h"
#include "tests/support/fake_state_store.h"

namespace aulm::gateway {
namespace {

using testing::HasSubstr;

constexpr char kSession[] = "11111111-1111-4111-8111-111111111111";

constexpr char kPacedSession[] = "22222222-2222-4222-8222-222222222222";

HttpResponse Accepted(const std::string& message_id = "m-1") {
  return {201,
          {{"x-request-id", "aulm-1"}},
          R"({"data": {"message_id": ")" + message_id + R"(", "session_id": ")" + kSession +
              R"(", "to": "+966512345678", "status": "sent", "simulated": false}, "request_id": "aulm-1"})"};
}

HttpResponse Refused(int status, const std::string& code, bool retry_after = false) {
  HttpResponse response{status, {}, R"({"error": {"code": ")" + code + R"(", "message": "no"}})"};
  if (retry_after) response.headers.emplace_back("retry-after", "1");
  return response;
}

HttpFailure Lost() { return {HttpFailure::Reason::kBroken, /*written=*/true, "the connection broke"}; }
HttpFailure NeverConnected() { return {HttpFailure::Reason::kConnect, /*written=*/false, "refused"}; }

Send TextSendOf(const std::string& request_id, const std::string& body = "hi") {
  Send send;
  send.session_id = kSession;
  send.to = "+966512345678";
  send.message = TextMessage{body};
  send.request_id = request_id;
  return send;
}

// The sender over a store in memory and a transport that the test answers for.
class SenderTest : public testing::Test {
 protected:
  using Answer = std::shared_ptr<std::optional<absl::StatusOr<SendAnswer>>>;

  SenderTest() { Restart("replica-1"); }

  // A new process with the same store; where it is not the sole owner, the one before may still be there.
  void Restart(const std::string& owner, size_t slots = 100, bool sole_owner = true) {
    last_.reset();
    sender_.reset();
    accounts_.emplace();
    AulmClient::Options options;
    options.account = "default";
    options.base_url = "http://127.0.0.1:9";
    options.api_key = [] { return ApiKey{"alm_sk_live_test", 1}; };
    auto client = AulmClient::Create(options, transport_, std::make_shared<AulmAddress>(), clock_, metrics_);
    ASSERT_TRUE(client.ok()) << client.status();
    accounts_->Add(*std::move(client), {});
    ledger_.emplace(RequestLedger::Options{.owner = owner, .sole_owner = sole_owner}, claims_, clock_, registry_);
    retries_.emplace(RetryPolicy::Options{}, random_);
    messages_ = SentMessages::Create({}, store_, clock_, restarted_registry_.emplace());
    quotas_ = Quotas::Create({.refuse_when_used_up = true}, store_, clock_, *restarted_registry_);
    Paces paces;
    paces.general.off = true;  // pacing has tests of its own, and one here that turns it on
    paces.by_session[kPacedSession] = Pace{.jitter = 0, .burst = 1};
    pacer_.emplace(paces, recent_, store_, clock_, random_, registry_);
    slots_ = std::make_shared<SendSlots>(slots, registry_);
    sender_ = std::make_unique<Sender>(*accounts_, *ledger_, *messages_, *quotas_, *pacer_, *retries_, *slots_, clock_);
  }

  Answer Begin(Send send) {
    auto answer = std::make_shared<std::optional<absl::StatusOr<SendAnswer>>>();
    if (send.answer_by == absl::InfiniteFuture()) send.answer_by = clock_.Now() + absl::Seconds(30);
    last_ = sender_->Prepare(std::move(send), [answer](absl::StatusOr<SendAnswer> got) { *answer = std::move(got); });
    last_->Begin();
    return answer;
  }

  std::string Metrics() const { return prometheus::TextSerializer().Serialize(registry_.Collect()); }

  static void ExpectError(const Answer& answer, GatewayReason reason, Outcome outcome) {
    ASSERT_TRUE(answer->has_value());
    const absl::Status status = (*answer)->status();
    EXPECT_TRUE(HasReason(status, reason)) << status;
    EXPECT_EQ(OutcomeOf(status), outcome);
    EXPECT_FALSE(DetailsOf(status)->metadata.at("request_id").empty());
  }

  static void ExpectSent(const Answer& answer, const std::string& message_id, bool replayed) {
    ASSERT_TRUE(answer->has_value());
    ASSERT_TRUE((*answer)->ok()) << (*answer)->status();
    EXPECT_EQ((**answer)->result.message_id, message_id);
    EXPECT_EQ((**answer)->replayed, replayed);
  }

  prometheus::Registry registry_;  // sends that nobody answered outlive all else
  FakeClock clock_;
  FakeRandom random_;
  FakeStateStore store_{clock_};
  FailingBucket claims_{store_, "requests"};  // the ledger's way to the store
  FakeHttpTransport transport_;
  AulmMetrics metrics_{registry_};
  std::optional<AccountDirectory> accounts_;
  std::shared_ptr<SendSlots> slots_;
  std::optional<RequestLedger> ledger_;
  RecentPeers recent_;
  std::optional<prometheus::Registry> restarted_registry_;  // one a process
  std::shared_ptr<Quotas> quotas_;
  std::shared_ptr<SentMessages> messages_;
  std::optional<Pacer> pacer_;
  std::optional<RetryPolicy> retries_;
  std::unique_ptr<Sender> sender_;
  std::shared_ptr<PendingSend> last_;
};

TEST_F(SenderTest, SameIdAndContentIsAnsweredFromTheLedger) {
  transport_.AnswerNext(Accepted());
  ExpectSent(Begin(TextSendOf("order-1")), "m-1", /*replayed=*/false);

  const Answer again = Begin(TextSendOf("order-1"));

  ExpectSent(again, "m-1", /*replayed=*/true);
  EXPECT_EQ(transport_.requests().size(), 1u);
}

TEST_F(SenderTest, AnswerIsReplayedAfterARestart) {
  transport_.AnswerNext(Accepted());
  Begin(TextSendOf("order-1"));

  Restart("replica-2");

  ExpectSent(Begin(TextSendOf("order-1")), "m-1", /*replayed=*/true);
  EXPECT_EQ(transport_.requests().size(), 1u);
}

TEST_F(SenderTest, SameIdWithOtherContentIsRefused) {
  transport_.AnswerNext(Accepted());
  Begin(TextSendOf("order-1", "one"));

  const Answer other = Begin(TextSendOf("order-1", "two"));

  ExpectError(other, GatewayReason::kRequestIdReused, Outcome::kNotSent);
  EXPECT_EQ(transport_.requests().size(), 1u);
}

TEST_F(SenderTest, IdsOfDifferentCallersAreDifferent) {
  transport_.AnswerNext(Accepted("m-1"));
  transport_.AnswerNext(Accepted("m-2"));
  Send first = TextSendOf("order-1");
  first.caller = "billing";
  Send second = TextSendOf("order-1");
  second.caller = "shop";

  ExpectSent(Begin(first), "m-1", /*replayed=*/false);
  ExpectSent(Begin(second), "m-2", /*replayed=*/false);
}

TEST_F(SenderTest, LostAnswerStaysUnknownAndIsNotSentAgain) {
  transport_.AnswerNext(Lost());
  ExpectError(Begin(TextSendOf("order-1")), GatewayReason::kSendOutcomeUnknown, Outcome::kUnknown);

  const Answer again = Begin(TextSendOf("order-1"));

  ExpectError(again, GatewayReason::kSendOutcomeUnknown, Outcome::kUnknown);
  EXPECT_EQ(transport_.requests().size(), 1u);
}

TEST_F(SenderTest, ClaimOfADeadProcessIsUnknown) {
  const Answer never = Begin(TextSendOf("order-1"));  // claimed and written, and no answer when the process ends
  ASSERT_FALSE(never->has_value());

  Restart("replica-2");
  const Answer again = Begin(TextSendOf("order-1"));

  ExpectError(again, GatewayReason::kSendOutcomeUnknown, Outcome::kUnknown);
  EXPECT_EQ(DetailsOf((*again)->status())->metadata.at("first_reason"), "GATEWAY_STOPPED");
  EXPECT_EQ(transport_.requests().size(), 1u);
}

TEST_F(SenderTest, WhatTheStoreRefusedIsSettledOnceThereIsRoom) {
  const Answer first = Begin(TextSendOf("order-1"));  // claimed, and under way
  store_.FailWith(absl::ResourceExhaustedError("the disk is full"));
  transport_.Answer(0, Accepted());
  ExpectSent(first, "m-1", /*replayed=*/false);
  clock_.Advance(absl::Seconds(5));
  EXPECT_THAT(Metrics(), HasSubstr("aulm_ledger_unsettled 1"));

  store_.FailWith(absl::OkStatus());
  clock_.Advance(absl::Seconds(1));

  EXPECT_THAT(Metrics(), HasSubstr("aulm_ledger_unsettled 0"));
  Restart("replica-2");
  ExpectSent(Begin(TextSendOf("order-1")), "m-1", /*replayed=*/true);
  std::optional<SentMessages::Match> match;  // its own record is there as well
  messages_->Find("default", kSession, "+966512345678", "m-1", [&](SentMessages::Match found) { match = found; });
  EXPECT_TRUE(match->known);
}

TEST_F(SenderTest, WhatTheStoreDidNotReleaseIsReleasedOnceThereIsRoom) {
  const Answer first = Begin(TextSendOf("order-1"));
  store_.FailWith(absl::ResourceExhaustedError("the disk is full"));
  transport_.Answer(0, Refused(409, "session_not_ready"));
  ASSERT_TRUE(first->has_value());

  store_.FailWith(absl::OkStatus());
  clock_.Advance(absl::Seconds(1));
  transport_.AnswerNext(Accepted());

  ExpectSent(Begin(TextSendOf("order-1")), "m-1", /*replayed=*/false);
}

TEST_F(SenderTest, WhatTheStoreRefusesUntilTheLeaseIsOverStaysUnknown) {
  Begin(TextSendOf("order-1"));
  store_.FailWith(absl::ResourceExhaustedError("the disk is full"));
  transport_.Answer(0, Accepted());
  clock_.Advance(absl::Minutes(3));
  EXPECT_THAT(Metrics(), HasSubstr("aulm_ledger_unsettled 0"));

  store_.FailWith(absl::OkStatus());
  clock_.Advance(absl::Minutes(3));

  ExpectError(Begin(TextSendOf("order-1")), GatewayReason::kSendOutcomeUnknown, Outcome::kUnknown);
}

TEST_F(SenderTest, TheLedgersWorkIsOnTheMetrics) {
  transport_.AnswerNext(Accepted());
  Begin(TextSendOf("order-1"));
  Begin(TextSendOf("order-1"));
  Begin(TextSendOf("order-1", "another text"));
  transport_.AnswerNext(Lost());
  Begin(TextSendOf("order-2"));
  Begin(TextSendOf("order-2"));
  transport_.AnswerNext(Refused(409, "session_not_ready"));
  Begin(TextSendOf("order-3"));

  const std::string page = Metrics();
  EXPECT_THAT(page, HasSubstr("aulm_ledger_claims_total 3"));
  EXPECT_THAT(page, HasSubstr("aulm_ledger_repeats_total{answer=\"replayed\"} 1"));
  EXPECT_THAT(page, HasSubstr("aulm_ledger_repeats_total{answer=\"reused\"} 1"));
  EXPECT_THAT(page, HasSubstr("aulm_ledger_repeats_total{answer=\"unknown\"} 1"));
  EXPECT_THAT(page, HasSubstr("aulm_ledger_settlements_total{outcome=\"sent\"} 1"));
  EXPECT_THAT(page, HasSubstr("aulm_ledger_settlements_total{outcome=\"unknown\"} 1"));
  EXPECT_THAT(page, HasSubstr("aulm_ledger_settlements_total{outcome=\"released\"} 1"));
}

TEST_F(SenderTest, ACallThatWaitsForAnotherWithItsIdIsCounted) {
  Begin(TextSendOf("order-1"));
  Begin(TextSendOf("order-1"));
  EXPECT_THAT(Metrics(), HasSubstr("aulm_ledger_repeats_total{answer=\"under_way\"} 1"));
  transport_.Answer(0, Accepted());
  EXPECT_THAT(Metrics(), HasSubstr("aulm_ledger_repeats_total{answer=\"replayed\"} 1"));
}

TEST_F(SenderTest, WhatWasNotSentMayBeSentUnderTheSameId) {
  transport_.AnswerNext(Refused(409, "session_not_ready"));
  const Answer first = Begin(TextSendOf("order-1"));
  ASSERT_TRUE(first->has_value());
  EXPECT_EQ(OutcomeOf((*first)->status()), Outcome::kNotSent);
  EXPECT_EQ(store_.size(), 0u);
  transport_.AnswerNext(Accepted());

  ExpectSent(Begin(TextSendOf("order-1")), "m-1", /*replayed=*/false);
}

TEST_F(SenderTest, TwentyCallsWithOneIdMakeOneRequest) {
  std::vector<Answer> answers;
  for (int i = 0; i < 20; ++i) answers.push_back(Begin(TextSendOf("order-1")));
  ASSERT_EQ(transport_.requests().size(), 1u);

  transport_.Answer(0, Accepted());

  ExpectSent(answers[0], "m-1", /*replayed=*/false);
  for (int i = 1; i < 20; ++i) ExpectSent(answers[static_cast<size_t>(i)], "m-1", /*replayed=*/true);
  EXPECT_EQ(transport_.requests().size(), 1u);
}

TEST_F(SenderTest, FollowerTakesOverWhenTheFirstWasNotSent) {
  const Answer first = Begin(TextSendOf("order-1"));
  const Answer second = Begin(TextSendOf("order-1"));

  transport_.Answer(0, Refused(409, "session_not_ready"));
  ASSERT_EQ(transport_.requests().size(), 2u);
  transport_.Answer(1, Accepted());

  EXPECT_EQ(OutcomeOf((*first)->status()), Outcome::kNotSent);
  ExpectSent(second, "m-1", /*replayed=*/false);
}

TEST_F(SenderTest, FollowerThatTakesOverWhileItBeginsGivesTheIdBackAtItsEnd) {
  for (int round = 0; round < 100; ++round) {
    const std::string id = absl::StrCat("order-", round);
    Begin(TextSendOf(id));
    const size_t requests = transport_.requests().size();
    std::thread other([&] { transport_.Answer(requests - 1, Refused(409, "session_not_ready")); });
    const Answer second = Begin(TextSendOf(id));
    other.join();
    transport_.Answer(requests, Accepted());
    ExpectSent(second, "m-1", /*replayed=*/false);

    ExpectSent(Begin(TextSendOf(id)), "m-1", /*replayed=*/true);
  }
}

TEST_F(SenderTest, FollowerIsToldAtItsOwnDeadlineThatTheOtherCallIsUnderWay) {
  Begin(TextSendOf("order-1"));
  Send follower = TextSendOf("order-1");
  follower.answer_by = clock_.Now() + absl::Seconds(5);
  const Answer answer = Begin(follower);
  ASSERT_FALSE(answer->has_value());

  clock_.Advance(absl::Seconds(5));

  ExpectError(answer, GatewayReason::kRequestInFlight, Outcome::kUnknown);
  EXPECT_TRUE(absl::IsAborted((*answer)->status()));
}

TEST_F(SenderTest, FollowerWhoseLookComesTooLateIsNotCalledUnsent) {
  Begin(TextSendOf("order-1"));
  Restart("replica-2", 100, /*sole_owner=*/false);
  Send repeat = TextSendOf("order-1");
  repeat.answer_by = clock_.Now() + absl::Seconds(5);
  const Answer answer = Begin(repeat);
  store_.Hold();
  clock_.Advance(absl::Seconds(1));  // it looks again
  ASSERT_FALSE(answer->has_value());

  clock_.Advance(absl::Seconds(4));

  ExpectError(answer, GatewayReason::kRequestInFlight, Outcome::kUnknown);
  store_.Release();
}

TEST_F(SenderTest, FollowerWhoseLookFailsIsNotCalledUnsent) {
  Begin(TextSendOf("order-1"));
  Restart("replica-2", 100, /*sole_owner=*/false);
  const Answer answer = Begin(TextSendOf("order-1"));
  ASSERT_FALSE(answer->has_value());

  store_.FailWith(absl::UnavailableError("no answer"));
  clock_.Advance(absl::Seconds(1));

  ExpectError(answer, GatewayReason::kRequestInFlight, Outcome::kUnknown);
}

TEST_F(SenderTest, DetachedSendIsSettledForTheNextCall) {
  const Answer first = Begin(TextSendOf("order-1"));
  transport_.Detach(0, HttpFailure::Reason::kDeadline);
  ExpectError(first, GatewayReason::kCallDeadline, Outcome::kUnknown);

  transport_.Answer(0, Accepted());

  ExpectSent(Begin(TextSendOf("order-1")), "m-1", /*replayed=*/true);
}

TEST_F(SenderTest, CancelledBeforeTheClaimIsDurableIsNotSentAndLeavesNoClaim) {
  store_.Hold();
  const Answer answer = Begin(TextSendOf("order-1"));

  last_->Cancel();
  store_.Release();

  ExpectError(answer, GatewayReason::kCallCancelled, Outcome::kNotSent);
  EXPECT_EQ(transport_.requests().size(), 0u);
  EXPECT_EQ(store_.size(), 0u);
}

TEST_F(SenderTest, StoreFailureIsNotSent) {
  store_.FailWith(absl::UnavailableError("disk on fire"));

  const Answer answer = Begin(TextSendOf("order-1"));

  ExpectError(answer, GatewayReason::kStoreUnavailable, Outcome::kNotSent);
  EXPECT_EQ(transport_.requests().size(), 0u);
}

TEST_F(SenderTest, AClaimThatWasMadeThoughItsAnswerWasLostIsGivenBack) {
  claims_.FailNext(FailingBucket::Failure::kNotHeardOf);
  const Answer first = Begin(TextSendOf("order-1"));
  ExpectError(first, GatewayReason::kStoreUnavailable, Outcome::kNotSent);
  const Answer second = Begin(TextSendOf("order-1"));
  ASSERT_EQ(transport_.requests().size(), 1u);
  transport_.Answer(0, Accepted());
  ExpectSent(second, "m-1", /*replayed=*/false);
}

TEST_F(SenderTest, GeneratedIdDoesNotWaitForTheStore) {
  store_.FailWith(absl::UnavailableError("disk on fire"));
  transport_.AnswerNext(Accepted());
  Send send = TextSendOf("made-here");
  send.generated_id = true;

  ExpectSent(Begin(send), "m-1", /*replayed=*/false);
}

TEST_F(SenderTest, RecordsAreForgottenAfterADay) {
  transport_.AnswerNext(Accepted("m-1"));
  Begin(TextSendOf("order-1"));
  clock_.Advance(absl::Hours(25));
  transport_.AnswerNext(Accepted("m-2"));

  ExpectSent(Begin(TextSendOf("order-1")), "m-2", /*replayed=*/false);
}

TEST_F(SenderTest, NeverConnectedIsTriedThreeTimes) {
  for (int i = 0; i < 3; ++i) transport_.AnswerNext(NeverConnected());

  const Answer answer = Begin(TextSendOf("order-1"));
  clock_.Advance(absl::Seconds(10));

  ExpectError(answer, GatewayReason::kConnectFailed, Outcome::kNotSent);
  EXPECT_EQ(transport_.requests().size(), 3u);
}

TEST_F(SenderTest, OverloadWithRetryAfterIsTriedAgainAfterIt) {
  transport_.AnswerNext(Refused(503, "service_unavailable", /*retry_after=*/true));
  transport_.AnswerNext(Accepted());
  const Answer answer = Begin(TextSendOf("order-1"));
  clock_.Advance(absl::Milliseconds(999));
  ASSERT_EQ(transport_.requests().size(), 1u);

  clock_.Advance(absl::Seconds(1));

  ExpectSent(answer, "m-1", /*replayed=*/false);
  EXPECT_EQ(transport_.requests().size(), 2u);
}

TEST_F(SenderTest, RetryThatDoesNotFitTheDeadlineIsNotMade) {
  transport_.AnswerNext(Refused(503, "service_unavailable", /*retry_after=*/true));
  Send send = TextSendOf("order-1");
  send.answer_by = clock_.Now() + absl::Milliseconds(500);

  const Answer answer = Begin(send);

  ASSERT_TRUE(answer->has_value());
  EXPECT_TRUE(absl::IsUnavailable((*answer)->status()));
  EXPECT_EQ(transport_.requests().size(), 1u);
}

TEST_F(SenderTest, DoubtfulAnswersAreNeverTriedAgain) {
  for (const char* code : {"messaging_service_timeout", "messaging_service_unreachable", "messaging_service_error"}) {
    transport_.AnswerNext(Refused(502, code));
    const Answer answer = Begin(TextSendOf(code));
    clock_.Advance(absl::Seconds(30));
    ASSERT_TRUE(answer->has_value());
    EXPECT_EQ(OutcomeOf((*answer)->status()), Outcome::kUnknown);
  }
  EXPECT_EQ(transport_.requests().size(), 3u);
}

// Two sends of a session with one slot in two seconds: the first goes at once.
class PacedSenderTest : public SenderTest {
 protected:
  Send Paced(const std::string& request_id) {
    Send send = TextSendOf(request_id);
    send.session_id = kPacedSession;
    return send;
  }
};

TEST_F(PacedSenderTest, SecondSendWaitsForItsSlot) {
  Begin(Paced("one"));
  ASSERT_EQ(transport_.requests().size(), 1u);

  Begin(Paced("two"));
  clock_.Advance(absl::Milliseconds(1999));
  EXPECT_EQ(transport_.requests().size(), 1u);
  clock_.Advance(absl::Milliseconds(1));

  EXPECT_EQ(transport_.requests().size(), 2u);
}

TEST_F(PacedSenderTest, SlotBeyondTheDeadlineIsRefusedAtOnce) {
  Begin(Paced("one"));
  Send send = Paced("two");
  send.answer_by = clock_.Now() + absl::Seconds(1);

  const Answer answer = Begin(send);

  ExpectError(answer, GatewayReason::kPaced, Outcome::kNotSent);
  EXPECT_EQ(RetryDelayOf((*answer)->status()), absl::Seconds(2));
}

TEST_F(PacedSenderTest, CallerWhoLeavesTheQueueCostsNoSlot) {
  Begin(Paced("one"));
  const Answer two = Begin(Paced("two"));
  last_->Cancel();
  ExpectError(two, GatewayReason::kCallCancelled, Outcome::kNotSent);
  Begin(Paced("three"));

  clock_.Advance(absl::Seconds(2));

  EXPECT_EQ(transport_.requests().size(), 2u);
  EXPECT_EQ(pacer_->waiting(), 0u);
}

TEST_F(PacedSenderTest, FollowersOfOneIdTakeOneSlot) {
  Begin(Paced("one"));
  Begin(Paced("two"));
  Begin(Paced("two"));
  Begin(Paced("two"));

  EXPECT_EQ(pacer_->waiting(), 1u);
}

TEST_F(SenderTest, WhatIsBeyondTheSendsThatMayBeInFlightIsRefused) {
  Restart("replica-1", /*slots=*/2);
  Begin(TextSendOf("order-1"));
  Begin(TextSendOf("order-2"));
  ExpectError(Begin(TextSendOf("order-3")), GatewayReason::kOverloaded, Outcome::kNotSent);
  EXPECT_EQ(transport_.requests().size(), 2u);
}

TEST_F(SenderTest, ASendThatIsDoneMakesRoomForAnother) {
  Restart("replica-1", /*slots=*/1);
  transport_.AnswerNext(Accepted("m-1"));
  Begin(TextSendOf("order-1"));
  last_.reset();
  transport_.AnswerNext(Accepted("m-2"));
  ExpectSent(Begin(TextSendOf("order-2")), "m-2", /*replayed=*/false);
}

TEST_F(SenderTest, RetriesStayWithinTheirBudget) {
  int tries = 0;
  for (int i = 0; i < 100; ++i) {
    // An answer, so that aulm counts as reached.
    for (int j = 0; j < 3; ++j) transport_.AnswerNext(Refused(503, "service_unavailable", /*retry_after=*/true));
    Begin(TextSendOf("order-" + std::to_string(i)));
    clock_.Advance(absl::Seconds(30));
    tries = static_cast<int>(transport_.requests().size());
  }

  // 100 sends earn 10 retries, and 10 were saved up.
  EXPECT_LE(tries, 100 + 20);
  EXPECT_GE(tries, 100 + 15);
}

TEST_F(SenderTest, UsedUpQuotaRefusesNewSendsAndStillReplaysOldOnes) {
  HttpResponse last = Accepted();
  last.headers.insert(
      last.headers.end(),
      {{"x-ratelimit-limit", "10"}, {"x-ratelimit-remaining", "0"}, {"x-ratelimit-reset", "2100-01-01T00:00:00Z"}});
  transport_.AnswerNext(last);
  Begin(TextSendOf("order-1"));

  ExpectError(Begin(TextSendOf("order-2")), GatewayReason::kQuotaUsedUp, Outcome::kNotSent);
  ExpectSent(Begin(TextSendOf("order-1")), "m-1", /*replayed=*/true);
  EXPECT_EQ(transport_.requests().size(), 1u);
}

TEST_F(SenderTest, StatusDuringTheSendWaitsForItsMessageAndGetsItsLabels) {
  Send send = TextSendOf("order-1");
  send.labels = {{"order", "4711"}};
  Begin(send);
  std::optional<SentMessages::Match> match;
  messages_->Find("default", kSession, "+966512345678", "m-1",
                  [&](SentMessages::Match found) { match = std::move(found); });
  ASSERT_FALSE(match.has_value());

  transport_.Answer(0, Accepted());

  ASSERT_TRUE(match.has_value());
  EXPECT_TRUE(match->known);
  EXPECT_FALSE(match->marks.empty());
}

TEST_F(SenderTest, StatusIsLetGoWhenTheAnswerIsLost) {
  Begin(TextSendOf("order-1"));
  std::optional<SentMessages::Match> match;
  messages_->Find("default", kSession, "+966512345678", "m-1",
                  [&](SentMessages::Match found) { match = std::move(found); });

  transport_.Answer(0, Lost());

  ASSERT_TRUE(match.has_value());
  EXPECT_FALSE(match->known);
}

TEST_F(SenderTest, RetriedSendIsExpectedOnce) {
  transport_.AnswerNext(NeverConnected());
  Begin(TextSendOf("order-1"));
  transport_.AnswerNext(Accepted());
  clock_.Advance(absl::Seconds(1));
  std::optional<SentMessages::Match> match;

  messages_->Find("default", kSession, "+966512345678", "another",
                  [&](SentMessages::Match found) { match = std::move(found); });

  EXPECT_TRUE(match.has_value()) << "no send is under way any more";
}

}  // namespace
}  // namespace aulm::gateway
