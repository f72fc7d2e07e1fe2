// The aulm API over a real socket: each statement of its page that a client can see.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/simulator/simulator_process.h"
#include "tests/simulator/test_client.h"
#include "tests/simulator/uuid.h"

namespace aulm::simulator {
namespace {

namespace json = boost::json;
using ::testing::MatchesRegex;
using ::testing::StartsWith;

class AulmApiTest : public ::testing::Test {
 protected:
  void Start(std::vector<std::string> arguments = {}) {
    auto started = SimulatorProcess::Start(std::move(arguments));
    ASSERT_TRUE(started.ok()) << started.status();
    simulator_ = *std::move(started);
    client_ = std::make_unique<TestClient>(simulator_->address());
  }

  const ControlClient& control() { return simulator_->control(); }

  std::unique_ptr<SimulatorProcess> simulator_;
  std::unique_ptr<TestClient> client_;
};

TEST_F(AulmApiTest, SendTextAnswersAsDocumented) {
  Start();
  const TestAnswer answer = client_->SendText(TextTo("+966512345678"), kLiveKey);
  ASSERT_EQ(answer.status, 201) << answer.body;
  const json::value body = answer.json();
  EXPECT_EQ(body.as_object().size(), 2u);
  EXPECT_EQ(body.at("request_id"), answer.headers.at("x-request-id").c_str());
  const json::object& data = body.at("data").as_object();
  EXPECT_EQ(data.size(), 5u);
  EXPECT_FALSE(data.at("message_id").as_string().empty());
  EXPECT_EQ(data.at("session_id"), kConnectedSession);
  EXPECT_EQ(data.at("to"), "+966512345678");
  EXPECT_EQ(data.at("status"), "sent");
  EXPECT_EQ(data.at("simulated"), false);
}

TEST_F(AulmApiTest, TestKeysAreSimulated) {
  Start();
  const json::value body = client_->SendText(TextTo("+966512345678"), kTestKey).json();
  EXPECT_THAT(std::string(body.at("data").at("message_id").as_string()), StartsWith("sim_"));
  EXPECT_EQ(body.at("data").at("simulated"), true);
}

TEST_F(AulmApiTest, SendImageTakesUrlsAndFiveMegabytesOfData) {
  Start();
  json::object body{{"session_id", kConnectedSession}, {"to", "+966512345678"}, {"caption", "a cat"}};
  body["image"] = "https://example.com/cat.png";
  EXPECT_EQ(client_->SendImage(body).status, 201);
  body["image"] = "data:image/png;base64," + absl::Base64Escape(std::string(size_t{5} << 20, 'x'));
  EXPECT_EQ(client_->SendImage(body).status, 201);
  body["image"] = "data:image/png;base64," + absl::Base64Escape(std::string((size_t{5} << 20) + 1, 'x'));
  EXPECT_EQ(client_->SendImage(body).code(), "invalid_request");
  body["image"] = "https://127.0.0.1/cat.png";
  EXPECT_EQ(client_->SendImage(body).code(), "invalid_request");
}

TEST_F(AulmApiTest, ABodyThatExpects100IsAskedFor) {
  Start();
  const std::string body = json::serialize(TextTo("+966512345678"));
  const std::string answer = TestClient(simulator_->address())
                                 .Raw(absl::StrCat("POST /v1/messages/send-text HTTP/1.1\r\nhost: a\r\nauthorization: "
                                                   "Bearer ",
                                                   kTestKey, "\r\nexpect: 100-continue\r\nconnection: close\r\n",
                                                   "content-length: ", body.size(), "\r\n\r\n", body));
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\n"));
}

TEST_F(AulmApiTest, ChunkedBodiesAreRead) {
  Start();
  const std::string body = json::serialize(TextTo("+966512345678"));
  const std::string answer =
      TestClient(simulator_->address())
          .Raw(absl::StrCat("POST /v1/messages/send-text HTTP/1.1\r\nhost: a\r\nauthorization: Bearer ", kTestKey,
                            "\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n", absl::Hex(body.size()),
                            "\r\n", body, "\r\n0\r\n\r\n"));
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 201 Created\r\n"));
}

TEST_F(AulmApiTest, ConnectionsAreKeptAlive) {
  Start();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(client_->SendText(TextTo("+966512345678")).status, 201);
  const auto requests = control().Requests();
  ASSERT_TRUE(requests.ok()) << requests.status();
  ASSERT_EQ(requests->size(), 3u);
  EXPECT_EQ(requests->front().connection_id, requests->back().connection_id);
}

TEST_F(AulmApiTest, IdleConnectionsAreClosedInTime) {
  Start({"--idle-timeout-ms=20"});
  EXPECT_EQ(TestClient(simulator_->address()).Raw(""), "");  // returns once the server has closed
}

TEST_F(AulmApiTest, SessionStatusGivesTheCachedState) {
  Start({"--session=00000000-0000-4000-8000-0000000000aa=pairing"});
  const auto state_of = [this](const std::string& id) {
    const TestAnswer answer = client_->SessionStatus(id);
    EXPECT_EQ(answer.status, 200) << answer.body;
    EXPECT_EQ(answer.json().at("request_id"), answer.headers.at("x-request-id").c_str());
    EXPECT_EQ(answer.json().at("data").at("session_id"), id.c_str());
    EXPECT_EQ(answer.json().at("data").as_object().size(), 2u);
    return std::string(answer.json().at("data").at("status").as_string());
  };
  EXPECT_EQ(state_of(kConnectedSession), "connected");
  EXPECT_EQ(state_of(kDisconnectedSession), "disconnected");
  EXPECT_EQ(state_of(kAwaitingScanSession), "awaiting_scan");
  EXPECT_EQ(state_of("00000000-0000-4000-8000-0000000000aa"), "pairing");
}

TEST_F(AulmApiTest, SessionsRefuseByTheirState) {
  Start();
  const auto send_to = [this](const char* session) {
    json::value body = TextTo("+966512345678");
    body.as_object()["session_id"] = session;
    return client_->SendText(body).code();
  };
  EXPECT_EQ(send_to(kDisconnectedSession), "session_not_ready");
  EXPECT_EQ(send_to(kAwaitingScanSession), "session_not_ready");
  EXPECT_EQ(send_to(kDisabledSession), "session_disabled");
  EXPECT_EQ(send_to(kNotAllowedSession), "session_not_allowed");
  EXPECT_EQ(send_to(kUnknownSession), "session_not_found");
  EXPECT_EQ(client_->SessionStatus(kDisabledSession).code(), "session_disabled");
  EXPECT_EQ(client_->SessionStatus(kNotAllowedSession).code(), "session_not_allowed");
  EXPECT_EQ(client_->SessionStatus(kUnknownSession).code(), "session_not_found");
}

TEST_F(AulmApiTest, ASessionOfAnotherAccountIsNotFound) {
  Start();
  EXPECT_EQ(client_->SessionStatus(kConnectedSession, "alm_sk_live_second").code(), "session_not_found");
  EXPECT_EQ(client_->SessionStatus("00000000-0000-4000-8000-000000000006", "alm_sk_live_second").status, 200);
}

TEST_F(AulmApiTest, ASessionChangesItsStateOnDemand) {
  Start();
  ASSERT_TRUE(control().SetSession(kConnectedSession, "disconnected").ok());
  EXPECT_EQ(client_->SendText(TextTo("+966512345678")).code(), "session_not_ready");
  ASSERT_TRUE(control().SetSession(kConnectedSession, "connected").ok());
  EXPECT_EQ(client_->SendText(TextTo("+966512345678")).status, 201);
}

TEST_F(AulmApiTest, EachKindOfBadAuthorizationHasItsCode) {
  Start({"--auth-failure-limit=0", "--key=alm_sk_live_mine=revoked"});
  const auto code_of = [this](const TestClient::Headers& headers) {
    const TestAnswer answer = client_->Do("GET", absl::StrCat("/v1/sessions/", kConnectedSession, "/status"), headers);
    EXPECT_EQ(answer.status, 401);
    EXPECT_TRUE(answer.has("x-request-id"));
    return answer.code();
  };
  EXPECT_EQ(code_of({}), "missing_authorization");
  EXPECT_EQ(code_of({{"Authorization", "Basic YTpi"}}), "invalid_authorization");
  EXPECT_EQ(code_of({{"Authorization", kLiveKey}}), "invalid_authorization");
  EXPECT_EQ(code_of({{"Authorization", "Bearer"}}), "invalid_api_key");
  EXPECT_EQ(code_of({{"Authorization", "Bearer alm_sk_live_unknown"}}), "invalid_api_key");
  EXPECT_EQ(code_of({{"Authorization", "Bearer nonsense"}}), "invalid_api_key");
  EXPECT_EQ(code_of({{"Authorization", "Bearer alm_sk_live_revoked"}}), "api_key_revoked");
  EXPECT_EQ(code_of({{"Authorization", "Bearer alm_sk_live_mine"}}), "api_key_revoked");
  EXPECT_EQ(code_of({{"Authorization", "Bearer alm_sk_test_expired"}}), "api_key_expired");
  EXPECT_EQ(code_of({{"Authorization", "Bearer alm_sk_live_deactivated"}}), "account_deactivated");
}

TEST_F(AulmApiTest, AKeyChangesItsStateOnDemand) {
  Start();
  ASSERT_TRUE(control().SetKey(kLiveKey, "revoked").ok());
  EXPECT_EQ(client_->SendText(TextTo("+966512345678"), kLiveKey).code(), "api_key_revoked");
  ASSERT_TRUE(control().SetKey(kLiveKey, "active").ok());
  EXPECT_EQ(client_->SendText(TextTo("+966512345678"), kLiveKey).status, 201);
}

TEST_F(AulmApiTest, RepeatedAuthFailuresLockTheAddressOut) {
  Start({"--auth-failure-limit=3", "--auth-cooldown-ms=60000"});
  for (int i = 0; i < 3; ++i) EXPECT_EQ(client_->SessionStatus(kConnectedSession, "wrong").code(), "invalid_api_key");
  const TestAnswer locked = client_->SendText(TextTo("+966512345678"), kLiveKey);
  EXPECT_EQ(locked.status, 429);
  EXPECT_EQ(locked.code(), "too_many_auth_failures");
  EXPECT_EQ(locked.headers.at("retry-after"), "60");
  EXPECT_FALSE(locked.has("x-ratelimit-limit"));
  ASSERT_TRUE(control().ClearAuthFailures().ok());
  EXPECT_EQ(client_->SendText(TextTo("+966512345678"), kLiveKey).status, 201);
}

TEST_F(AulmApiTest, ASuccessForgetsEarlierAuthFailures) {
  Start({"--auth-failure-limit=2"});
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(client_->SessionStatus(kConnectedSession, "wrong").status, 401);
    EXPECT_EQ(client_->SessionStatus(kConnectedSession).status, 200);
  }
}

TEST_F(AulmApiTest, A201TellsOfTheDailyQuota) {
  Start({"--daily-limit=10"});
  const absl::Time before = absl::Now();
  const TestAnswer answer = client_->SendText(TextTo("+966512345678"));
  EXPECT_EQ(answer.headers.at("x-ratelimit-limit"), "10");
  EXPECT_EQ(answer.headers.at("x-ratelimit-remaining"), "9");
  EXPECT_FALSE(answer.has("retry-after"));
  absl::Time reset;
  std::string error;
  ASSERT_TRUE(absl::ParseTime(absl::RFC3339_full, answer.headers.at("x-ratelimit-reset"), &reset, &error)) << error;
  EXPECT_EQ(absl::FormatTime("%H:%M:%E3S", reset, absl::UTCTimeZone()), "00:00:00.000");
  EXPECT_GT(reset, before);
  EXPECT_LE(reset - before, absl::Hours(24));
}

TEST_F(AulmApiTest, TheDailyQuotaEnds) {
  Start({"--daily-limit=1"});
  EXPECT_EQ(client_->SendText(TextTo("+966512345678")).status, 201);
  const TestAnswer answer = client_->SendText(TextTo("+966512345678"));
  EXPECT_EQ(answer.status, 429);
  EXPECT_EQ(answer.code(), "daily_quota_exceeded");
  EXPECT_EQ(answer.headers.at("x-ratelimit-limit"), "1");
  EXPECT_EQ(answer.headers.at("x-ratelimit-remaining"), "0");
  EXPECT_TRUE(answer.has("x-ratelimit-reset"));
  int64_t seconds = 0;
  ASSERT_TRUE(absl::SimpleAtoi(answer.headers.at("retry-after"), &seconds));
  EXPECT_GT(seconds, 0);
  EXPECT_LE(seconds, 86'400);
}

TEST_F(AulmApiTest, TheTrialQuotaEnds) {
  Start({"--trial-limit=1"});
  EXPECT_EQ(client_->SendText(TextTo("+966512345678")).headers.at("x-ratelimit-limit"), "1");
  const TestAnswer answer = client_->SendText(TextTo("+966512345678"));
  EXPECT_EQ(answer.code(), "trial_quota_exceeded");
  EXPECT_EQ(answer.headers.at("x-ratelimit-remaining"), "0");
  int64_t seconds = 0;
  ASSERT_TRUE(absl::SimpleAtoi(answer.headers.at("retry-after"), &seconds));
  EXPECT_GT(seconds, 6 * 86'400);
  EXPECT_LE(seconds, 7 * 86'400);
}

TEST_F(AulmApiTest, ServerErrorsGiveTheSlotBack) {
  Start({"--daily-limit=10"});
  for (const char* number : {"+999000000502", "+999000001502", "+999000000503", "+999000000504", "+999000000008"}) {
    EXPECT_GE(client_->SendText(TextTo(number)).status, 500);
  }
  EXPECT_EQ(client_->SendText(TextTo("+966512345678")).headers.at("x-ratelimit-remaining"), "9");
}

TEST_F(AulmApiTest, TheQuotaChangesOnDemand) {
  Start();
  QuotaChange change;
  change.daily_limit = 5;
  change.daily_used = 5;
  change.daily_reset_in = absl::Hours(1);
  ASSERT_TRUE(control().SetQuota(change).ok());
  EXPECT_EQ(client_->SendText(TextTo("+966512345678")).headers.at("retry-after"), "3600");
}

struct ErrorCase {
  const char* number;
  const char* code;
  int status;
  bool rate_limit;   // x-ratelimit-*
  bool retry_after;  // Retry-After
};

class ErrorTableTest : public ::testing::TestWithParam<ErrorCase> {};

// The table of the API page, written out once more; the simulator's own table is not asked.
INSTANTIATE_TEST_SUITE_P(EveryRow, ErrorTableTest,
                         ::testing::Values(ErrorCase{"+999000000400", "invalid_json", 400, false, false},
                                           ErrorCase{"+999000001400", "invalid_request", 400, false, false},
                                           ErrorCase{"+999000000401", "missing_authorization", 401, false, false},
                                           ErrorCase{"+999000001401", "invalid_authorization", 401, false, false},
                                           ErrorCase{"+999000002401", "invalid_api_key", 401, false, false},
                                           ErrorCase{"+999000003401", "api_key_revoked", 401, false, false},
                                           ErrorCase{"+999000004401", "api_key_expired", 401, false, false},
                                           ErrorCase{"+999000005401", "account_deactivated", 401, false, false},
                                           ErrorCase{"+999000000429", "too_many_auth_failures", 429, false, true},
                                           ErrorCase{"+999000000404", "session_not_found", 404, false, false},
                                           ErrorCase{"+999000000403", "session_disabled", 403, false, false},
                                           ErrorCase{"+999000001403", "session_not_allowed", 403, false, false},
                                           ErrorCase{"+999000000409", "session_not_ready", 409, false, false},
                                           ErrorCase{"+999000001429", "daily_quota_exceeded", 429, true, true},
                                           ErrorCase{"+999000002429", "trial_quota_exceeded", 429, true, true},
                                           ErrorCase{"+999000000504", "messaging_service_timeout", 504, false, false},
                                           ErrorCase{"+999000000502", "messaging_service_unreachable", 502, false,
                                                     false},
                                           ErrorCase{"+999000001502", "messaging_service_error", 502, false, false},
                                           ErrorCase{"+999000000503", "service_unavailable", 503, false, true}),
                         [](const auto& row) { return row.param.code; });

void ExpectError(const TestAnswer& answer, const ErrorCase& expected) {
  EXPECT_EQ(answer.status, expected.status);
  EXPECT_EQ(answer.headers.at("content-type"), "application/json");
  EXPECT_TRUE(IsUuid(answer.headers.at("x-request-id")));
  for (const char* header : {"x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"}) {
    EXPECT_EQ(answer.has(header), expected.rate_limit) << header;
  }
  EXPECT_EQ(answer.has("retry-after"), expected.retry_after);
  const json::value body = answer.json();
  ASSERT_TRUE(body.is_object()) << answer.body;
  EXPECT_EQ(body.as_object().size(), 1u);
  EXPECT_EQ(body.at("error").as_object().size(), 2u);
  EXPECT_EQ(body.at("error").at("code"), expected.code);
  EXPECT_FALSE(body.at("error").at("message").as_string().empty());
}

TEST_P(ErrorTableTest, AMagicNumberGivesIt) {
  auto simulator = SimulatorProcess::Start();
  ASSERT_TRUE(simulator.ok()) << simulator.status();
  ExpectError(TestClient((*simulator)->address()).SendText(TextTo(GetParam().number)), GetParam());
  const auto requests = (*simulator)->control().Requests();
  ASSERT_TRUE(requests.ok()) << requests.status();
  EXPECT_EQ(requests->at(0).message_id, "");
  EXPECT_EQ(requests->at(0).answered_status, GetParam().status);
}

TEST_P(ErrorTableTest, AQueuedFaultGivesItOnce) {
  auto simulator = SimulatorProcess::Start();
  ASSERT_TRUE(simulator.ok()) << simulator.status();
  Fault fault;
  fault.code = GetParam().code;
  ASSERT_TRUE((*simulator)->control().QueueFault(fault).ok());
  TestClient client((*simulator)->address());
  ExpectError(client.SendText(TextTo("+966512345678")), GetParam());
  EXPECT_EQ(client.SendText(TextTo("+966512345678")).status, 201);
}

TEST_F(AulmApiTest, AnUnreadableBodyIsInvalidJson) {
  Start();
  const TestAnswer answer =
      client_->Do("POST", "/v1/messages/send-text", {{"Authorization", absl::StrCat("Bearer ", kTestKey)}}, "{\"to");
  EXPECT_EQ(answer.status, 400);
  EXPECT_EQ(answer.code(), "invalid_json");
  EXPECT_FALSE(answer.has("x-ratelimit-limit"));
}

TEST_F(AulmApiTest, FailedValidationIsInvalidRequest) {
  Start();
  const TestAnswer answer = client_->SendText(TextTo("966512345678"));
  EXPECT_EQ(answer.status, 400);
  EXPECT_EQ(answer.code(), "invalid_request");
}

TEST_F(AulmApiTest, RequestsAreRecordedWhole) {
  Start();
  const std::string body = json::serialize(TextTo("+966512345678"));
  client_->Do("POST", "/v1/messages/send-text?x=1",
              {{"Authorization", absl::StrCat("Bearer ", kTestKey)}, {"X-Twice", "a"}, {"X-Twice", "b"}}, body);
  const auto requests = control().WaitForRequests(1);
  ASSERT_TRUE(requests.ok()) << requests.status();
  const RecordedRequest& request = requests->at(0);
  EXPECT_EQ(request.method, "POST");
  EXPECT_EQ(request.target, "/v1/messages/send-text?x=1");
  EXPECT_EQ(request.body, body);
  EXPECT_EQ(request.answered_status, 201);
  EXPECT_THAT(request.message_id, StartsWith("sim_"));
  EXPECT_GT(request.arrived_us, 0);
  EXPECT_THAT(request.headers, ::testing::Contains(::testing::Pair("x-twice", "a, b")));
  ASSERT_TRUE(control().ClearRequests().ok());
  EXPECT_TRUE(control().Requests()->empty());
}

TEST_F(AulmApiTest, FastModeAnswersAlikeAndRecordsNothing) {
  Start({"--fast"});
  const TestAnswer answer = client_->SendText(TextTo("+966512345678"));
  EXPECT_EQ(answer.status, 201);
  EXPECT_TRUE(answer.has("x-ratelimit-remaining"));
  EXPECT_TRUE(control().Requests()->empty());
}

TEST_F(AulmApiTest, UnknownEndpointsAre404) {
  Start();
  const TestAnswer answer = client_->Do("GET", "/v1/messages", {{"Authorization", absl::StrCat("Bearer ", kTestKey)}});
  EXPECT_EQ(answer.status, 404);
  EXPECT_TRUE(answer.has("x-request-id"));
}

}  // namespace
}  // namespace aulm::simulator
