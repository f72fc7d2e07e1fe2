// Answers as servers really give them, over real sockets: in pieces, in halves, too large, elsewhere.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "absl/strings/str_cat.h"
#include "service/aulm/aulm_json.h"
#include "service/base/status_details.h"
#include "tests/integration/aulm/aulm_test_client.h"
#include "tests/integration/aulm/scripted_server.h"

namespace aulm::gateway {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;
using Code = absl::StatusCode;
using Connection = ScriptedServer::Connection;

// Answers each request on each connection with the same bytes.
ScriptedServer::Script Always(std::string bytes) {
  return [bytes](Connection& connection) {
    while (connection.ReadRequest() && connection.Write(bytes)) {
    }
  };
}

// Answers one request with these bytes and closes.
ScriptedServer::Script OnceThenClose(std::string bytes) {
  return [bytes](Connection& connection) {
    if (connection.ReadRequest()) connection.Write(bytes);
  };
}

void ExpectDoubt(const absl::Status& status) {
  EXPECT_EQ(status.code(), Code::kUnknown) << status;
  EXPECT_EQ(ReasonOf(status), "SEND_OUTCOME_UNKNOWN");
  EXPECT_EQ(OutcomeOf(status), Outcome::kUnknown);
}

TEST(AnswersTest, ASendIsWrittenAsDocumented) {
  ScriptedServer server(Always(Accepted("m1")));
  AulmTestClient client(server.base_url());
  const absl::StatusOr<SendResult> result = client.SendText("hi");
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->message_id, "m1");
  EXPECT_EQ(result->aulm_request_id, "header-id");
  const std::string request = server.requests().at(0);
  EXPECT_THAT(request, StartsWith("POST /v1/messages/send-text HTTP/1.1\r\n"));
  EXPECT_THAT(request, HasSubstr("\r\nAuthorization: Bearer alm_sk_test_0123456789\r\n"));
  EXPECT_THAT(request, HasSubstr("\r\nUser-Agent: aulm-gateway/"));
  EXPECT_THAT(request, HasSubstr("\r\nContent-Length: "));
  EXPECT_THAT(request, HasSubstr("\r\n\r\n{\"session_id\":"));
  EXPECT_THAT(request, Not(HasSubstr("Expect")));
}

TEST(AnswersTest, AReadIsWrittenAsDocumented) {
  ScriptedServer server(Always(Answer(200, R"({"data":{"status":"connected"}})")));
  AulmTestClient client(server.base_url());
  EXPECT_EQ(client.GetSessionStatus()->status, "connected");
  EXPECT_THAT(server.requests().at(0),
              AllOf(StartsWith(absl::StrCat("GET /v1/sessions/", kTestSession, "/status HTTP/1.1\r\n")),
                    Not(HasSubstr("Content-")), HasSubstr("Authorization: Bearer ")));
}

TEST(AnswersTest, AConnectionIsUsedAgain) {
  ScriptedServer server(Always(Accepted("m1")));
  AulmTestClient client(server.base_url());
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(client.SendText().ok());
  EXPECT_EQ(server.connections(), 1);
}

TEST(AnswersTest, AConnectionThatTheServerClosedIsReplaced) {
  ScriptedServer server([](Connection& connection) {
    if (connection.ReadRequest()) connection.Write(Accepted("m1"));
  });
  AulmTestClient client(server.base_url());
  for (int i = 0; i < 20; ++i) {
    const absl::StatusOr<SendResult> result = client.SendText(absl::StrCat("text ", i));
    // The close may be on its way when the next request is written: then it is unknown, and never made twice.
    if (!result.ok()) ExpectDoubt(result.status());
  }
  EXPECT_LE(server.requests().size(), 20u);
}

TEST(AnswersTest, ConnectionCloseIsHonoured) {
  ScriptedServer server(OnceThenClose(Answer(201, R"({"data":{"message_id":"m"}})", "Connection: close\r\n")));
  AulmTestClient client(server.base_url());
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(client.SendText().ok());
  EXPECT_EQ(server.connections(), 20);
}

TEST(AnswersTest, ANameIsResolved) {
  ScriptedServer server(OnceThenClose(Answer(201, R"({"data":{"message_id":"m"}})", "Connection: close\r\n")));
  AulmTestClient client(absl::StrCat("http://localhost:", server.port()));
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(client.SendText().ok());
}

TEST(AnswersTest, ATrickledAnswerIsRead) {
  ScriptedServer server([](Connection& connection) {
    if (!connection.ReadRequest()) return;
    for (const char c : Accepted("m1")) {
      if (!connection.Write(absl::string_view(&c, 1))) return;
    }
    connection.ReadByte();
  });
  AulmTestClient client(server.base_url());
  EXPECT_EQ(client.SendText()->message_id, "m1");
}

TEST(AnswersTest, AChunkedAnswerWithTrailersIsRead) {
  ScriptedServer server(
      Always("HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n"
             "10\r\n{\"data\":{\"messag\r\n10\r\ne_id\":\"chunky\"}}\r\n0\r\nX-Request-Id: trailer\r\n\r\n"));
  AulmTestClient client(server.base_url());
  const absl::StatusOr<SendResult> result = client.SendText();
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->message_id, "chunky");
  EXPECT_EQ(result->aulm_request_id, "");  // what follows the body is no header
}

TEST(AnswersTest, InterimAnswersAreSkipped) {
  ScriptedServer server(
      Always(absl::StrCat("HTTP/1.1 103 Early Hints\r\nx-request-id: early\r\n\r\n", Accepted("m1"))));
  AulmTestClient client(server.base_url());
  EXPECT_EQ(client.SendText()->aulm_request_id, "header-id");
}

TEST(AnswersTest, HeaderNamesInAnyCaseAreRead) {
  ScriptedServer server(Always(Answer(429, R"({"error":{"code":"daily_quota_exceeded","message":"m"}})",
                                      "RETRY-AFTER:  9 \r\nX-Request-ID: r\r\n")));
  AulmTestClient client(server.base_url());
  const absl::Status status = client.SendText().status();
  EXPECT_EQ(RetryDelayOf(status), absl::Seconds(9));
  EXPECT_EQ(AulmRequestIdOf(status), "r");
}

TEST(AnswersTest, HalfABodyIsADoubt) {
  ScriptedServer server(OnceThenClose("HTTP/1.1 201 Created\r\nContent-Length: 500\r\n\r\n{\"data\":"));
  AulmTestClient client(server.base_url());
  ExpectDoubt(client.SendText().status());
}

TEST(AnswersTest, HalfAHeaderIsADoubt) {
  ScriptedServer server(OnceThenClose("HTTP/1.1 201 Created\r\nContent-Le"));
  AulmTestClient client(server.base_url());
  const absl::Status status = client.SendText().status();
  EXPECT_EQ(status.code(), Code::kUnknown);
  EXPECT_EQ(OutcomeOf(status), Outcome::kUnknown);
}

TEST(AnswersTest, WhatIsNoHttpIsADoubt) {
  ScriptedServer server(OnceThenClose("SSH-2.0-OpenSSH_9.2\r\n"));
  AulmTestClient client(server.base_url());
  ExpectDoubt(client.SendText().status());
}

TEST(AnswersTest, NoAnswerOnANewConnectionIsADoubt) {
  ScriptedServer server([](Connection& connection) { connection.ReadRequest(); });
  AulmTestClient client(server.base_url());
  ExpectDoubt(client.SendText().status());
  EXPECT_EQ(server.requests().size(), 1u);
}

TEST(AnswersTest, AReadWithoutAnAnswerMayBeRepeated) {
  ScriptedServer server([](Connection& connection) { connection.ReadRequest(); });
  AulmTestClient client(server.base_url());
  const absl::Status status = client.GetSessionStatus().status();
  EXPECT_EQ(status.code(), Code::kUnavailable);
  EXPECT_EQ(OutcomeOf(status), std::nullopt);
}

TEST(AnswersTest, AnAnswerOfAlmostAMebibyteIsRead) {
  const std::string filler(1024 * 1024 - 400, 'x');
  ScriptedServer server(Always(Answer(201, absl::StrCat(R"({"data":{"message_id":"m"},"filler":")", filler, "\"}"))));
  AulmTestClient client(server.base_url());
  EXPECT_TRUE(client.SendText().ok());
}

TEST(AnswersTest, AnAnswerOfMoreThanAMebibyteIsCutOff) {
  const std::string filler(1024 * 1024, 'x');
  ScriptedServer server(Always(Answer(201, absl::StrCat(R"({"data":{"message_id":"m"},"filler":")", filler, "\"}"))));
  AulmTestClient client(server.base_url());
  const absl::Status status = client.SendText().status();
  ExpectDoubt(status);
  EXPECT_THAT(std::string(status.message()), HasSubstr("larger than 1048576 bytes"));
}

TEST(AnswersTest, AnAnswerWithoutEndIsCutOff) {
  ScriptedServer server([](Connection& connection) {
    if (!connection.ReadRequest()) return;
    connection.Write("HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n");
    const std::string chunk = absl::StrCat("10000\r\n", std::string(0x10000, ' '), "\r\n");
    while (connection.Write(chunk)) {
    }
  });
  AulmTestClient client(server.base_url());
  ExpectDoubt(client.SendText().status());
}

TEST(AnswersTest, HeadersWithoutEndAreCutOff) {
  ScriptedServer server([](Connection& connection) {
    if (!connection.ReadRequest()) return;
    connection.Write("HTTP/1.1 201 Created\r\n");
    const std::string line = absl::StrCat("X-More: ", std::string(8000, 'x'), "\r\n");
    while (connection.Write(line)) {
    }
  });
  AulmTestClient client(server.base_url());
  ExpectDoubt(client.SendText().status());
}

TEST(AnswersTest, ARedirectIsNotFollowed) {
  ScriptedServer elsewhere(Always(Accepted("m2")));
  for (const int status : {301, 302, 303, 307, 308}) {
    ScriptedServer server(Always(Answer(status, "", absl::StrCat("Location: ", elsewhere.base_url(), "/x\r\n"))));
    AulmTestClient client(server.base_url());
    const absl::Status result = client.SendText().status();
    EXPECT_EQ(result.code(), Code::kUnknown) << status;
    EXPECT_EQ(ReasonOf(result), "UNEXPECTED_RESPONSE") << status;
  }
  EXPECT_EQ(elsewhere.connections(), 0);
}

TEST(AnswersTest, AnErrorAnswerIsTyped) {
  ScriptedServer server(Always(Answer(404, R"({"error":{"code":"session_not_found","message":"no such session"}})")));
  AulmTestClient client(server.base_url());
  const absl::Status status = client.SendText().status();
  EXPECT_EQ(status.code(), Code::kNotFound);
  EXPECT_EQ(DetailsOf(status)->metadata.at("http_status"), "404");
}

TEST(AnswersTest, TheEnvironmentsProxyIsNotAsked) {
  ScriptedServer proxy(Always(Accepted("proxy")));
  ScriptedServer server(Always(Accepted("direct")));
  for (const char* name : {"http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"}) {
    setenv(name, proxy.base_url().c_str(), 1);
  }
  AulmTestClient client(server.base_url());
  const absl::StatusOr<SendResult> result = client.SendText();
  for (const char* name : {"http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"}) unsetenv(name);
  EXPECT_EQ(result->message_id, "direct");
  EXPECT_EQ(proxy.connections(), 0);
}

TEST(AnswersTest, TheConfiguredProxyIsAsked) {
  ScriptedServer proxy(Always(Accepted("proxy")));
  ScriptedServer server(Always(Accepted("direct")));
  CurlTransportOptions options;
  options.proxy = proxy.base_url();
  AulmTestClient client(server.base_url(), options);
  EXPECT_EQ(client.SendText()->message_id, "proxy");
}

TEST(AnswersTest, ALargeImageArrivesWhole) {
  ScriptedServer server(Always(Accepted("m1")));
  AulmTestClient client(server.base_url());
  const ImageSource image{"", "image/png", std::string(5 * 1024 * 1024, '\x89')};
  auto observer = std::make_shared<RecordingSendObserver>();
  client.client().SendImage({kTestSession, kTestNumber, image, "look"}, {}, observer);
  ASSERT_TRUE(observer->Wait().ok());
  const std::string request = server.requests().at(0);
  const size_t body = request.find("\r\n\r\n") + 4;
  EXPECT_EQ(request.substr(body), SendImageJson({kTestSession, kTestNumber, image, "look"}));
}

TEST(AnswersTest, ARefusalInTheMiddleOfAnUploadIsRead) {
  ScriptedServer server([](Connection& connection) {
    if (!connection.ReadHead()) return;
    connection.Write(
        Answer(413, R"({"error":{"code":"invalid_request","message":"too large"}})", "Connection: close\r\n"));
    while (connection.ReadByte()) {
    }
  });
  AulmTestClient client(server.base_url());
  const ImageSource image{"", "image/png", std::string(5 * 1024 * 1024, '\x89')};
  auto observer = std::make_shared<RecordingSendObserver>();
  client.client().SendImage({kTestSession, kTestNumber, image, ""}, {}, observer);
  EXPECT_EQ(observer->Wait().status().code(), Code::kInvalidArgument);
}

TEST(AnswersTest, NobodyListeningIsNotSent) {
  int port;
  {
    ScriptedServer gone([](Connection&) {});
    port = gone.port();
  }
  AulmTestClient client(absl::StrCat("http://127.0.0.1:", port));
  const absl::Status status = client.SendText().status();
  EXPECT_EQ(status.code(), Code::kUnavailable);
  EXPECT_EQ(ReasonOf(status), "CONNECT_FAILED");
  EXPECT_EQ(OutcomeOf(status), Outcome::kNotSent);
  EXPECT_EQ(ReasonOf(client.GetSessionStatus().status()), "CONNECT_FAILED");
}

TEST(AnswersTest, ANameThatDoesNotExistIsNotSent) {
  AulmTestClient client("https://no-such-host.invalid");
  const absl::Status status = client.SendText("hi", absl::Seconds(15)).status();
  EXPECT_EQ(OutcomeOf(status), Outcome::kNotSent) << status;
}

TEST(AnswersTest, TwoHundredCallsAtOnceAllEnd) {
  ScriptedServer server(Always(Accepted("m1")));
  AulmTestClient client(server.base_url());
  std::vector<std::shared_ptr<RecordingSendObserver>> observers;
  for (int round = 0; round < 3; ++round) {
    observers.clear();
    for (int i = 0; i < 200; ++i) observers.push_back(client.StartText(absl::StrCat("text ", i)).first);
    for (const auto& observer : observers) EXPECT_TRUE(observer->Wait().ok());
  }
  EXPECT_EQ(server.requests().size(), 600u);
  EXPECT_LE(server.connections(), 250);  // those of the first round, used again
}

}  // namespace
}  // namespace aulm::gateway
