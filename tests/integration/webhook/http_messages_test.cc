// What HttpServer answers to well-formed and broken messages.
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "service/http/http_server.h"
#include "tests/integration/webhook/scripted_http_service.h"
#include "tests/support/raw_http_client.h"

namespace aulm::gateway {
namespace {

constexpr absl::string_view kGet = "GET /a HTTP/1.1\r\nHost: a\r\n\r\n";

class HttpMessagesTest : public testing::Test {
 protected:
  ScriptedHttpService service_;
  const std::unique_ptr<HttpServer> server_ = StartServer(service_);
  RawHttpClient client_{server_->address()};
};

TEST_F(HttpMessagesTest, AnswersAndKeepsTheConnection) {
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(client_.Send("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi"));
    const RawReply reply = client_.ReadReply();
    EXPECT_EQ(reply.status, 200);
    EXPECT_EQ(reply.body, "POST /a hi");
    EXPECT_EQ(reply.Header("content-type"), "text/plain");
    EXPECT_EQ(reply.Header("connection"), "");
    EXPECT_NE(reply.Header("date"), "");
  }
}

TEST_F(HttpMessagesTest, ChunkedBodyIsJoined) {
  client_.Send("POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
  client_.Send("2\r\nde\r\n0\r\n\r\n");
  EXPECT_EQ(client_.ReadReply().body, "POST /a abcde");
}

TEST_F(HttpMessagesTest, ExpectationIsMetBeforeTheBody) {
  client_.Send("POST /a HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  EXPECT_EQ(client_.ReadReply().status, 100);
  client_.Send("hi");
  EXPECT_EQ(client_.ReadReply().body, "POST /a hi");
}

TEST_F(HttpMessagesTest, ExpectationOfTooLargeABodyIsRefusedWithoutIt) {
  client_.Send("POST /a HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1048577\r\n\r\n");
  EXPECT_EQ(client_.ReadReply().status, 413);
}

TEST_F(HttpMessagesTest, UnknownExpectationIsRefused) {
  client_.Send("POST /a HTTP/1.1\r\nHost: a\r\nExpect: a-miracle\r\nContent-Length: 2\r\n\r\n");
  EXPECT_EQ(client_.ReadReply().status, 417);
  client_.Close();
}

TEST_F(HttpMessagesTest, PipelinedRequestsAreAnsweredInOrder) {
  std::string requests;
  for (int i = 0; i < 50; ++i) {
    absl::StrAppend(&requests, "POST /", i, " HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx");
  }
  std::thread sender([&] { client_.Send(requests); });
  for (int i = 0; i < 50; ++i) EXPECT_EQ(client_.ReadReply().body, absl::StrCat("POST /", i, " x"));
  sender.join();
}

TEST_F(HttpMessagesTest, PipelinedRequestsWaitForAnAnswerFromAnotherThread) {
  client_.Send("GET /held HTTP/1.1\r\nHost: a\r\n\r\nGET /next HTTP/1.1\r\nHost: a\r\n\r\n");
  service_.AnswerHeld(1);
  EXPECT_EQ(client_.ReadReply().body, "GET /held ");
  EXPECT_EQ(client_.ReadReply().body, "GET /next ");
}

TEST_F(HttpMessagesTest, HeadHasTheLengthWithoutTheBody) {
  client_.Send(absl::StrCat("HEAD /a HTTP/1.1\r\nHost: a\r\n\r\n", kGet));
  const RawReply head = client_.ReadReply(/*head_only=*/true);
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.Header("content-length"), absl::StrCat(std::string("HEAD /a ").size()));
  EXPECT_EQ(client_.ReadReply().body, "GET /a ");
}

TEST_F(HttpMessagesTest, Http10ConnectionEndsWithTheAnswer) {
  client_.Send("GET /a HTTP/1.0\r\n\r\n");
  const RawReply reply = client_.ReadReply();
  EXPECT_EQ(reply.body, "GET /a ");
  EXPECT_EQ(reply.Header("connection"), "close");
  EXPECT_TRUE(client_.ReadsEnd());
}

TEST_F(HttpMessagesTest, Http10ConnectionStaysWhenAsked) {
  client_.Send("GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_EQ(client_.ReadReply().Header("connection"), "keep-alive");
  client_.Send(kGet);
  EXPECT_EQ(client_.ReadReply().status, 200);
}

TEST_F(HttpMessagesTest, CloseIsHonoured) {
  client_.Send("GET /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(client_.ReadReply().Header("connection"), "close");
  EXPECT_TRUE(client_.ReadsEnd());
}

TEST_F(HttpMessagesTest, ServiceMayCloseTheConnection) {
  client_.Send("GET /close HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(client_.ReadReply().Header("connection"), "close");
  EXPECT_TRUE(client_.ReadsEnd());
}

TEST_F(HttpMessagesTest, RefusedHeaderWithoutBodyKeepsTheConnection) {
  client_.Send(absl::StrCat("GET /refused HTTP/1.1\r\nHost: a\r\n\r\n", kGet));
  EXPECT_EQ(client_.ReadReply().body, "refused");
  EXPECT_EQ(client_.ReadReply().body, "GET /a ");
}

TEST_F(HttpMessagesTest, BodyOfARefusedHeaderIsNeverReadAsARequest) {
  client_.Send("POST /refused HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n");
  const RawReply reply = client_.ReadReply();
  EXPECT_EQ(reply.status, 404);
  EXPECT_EQ(reply.Header("connection"), "close");
  client_.Send(kGet);
  EXPECT_TRUE(client_.ReadsEnd());
}

TEST_F(HttpMessagesTest, BodyAtTheLimitIsTaken) {
  const std::string body(1 << 20, 'x');
  std::thread sender([&] {
    client_.Send(absl::StrCat("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: ", body.size(), "\r\n\r\n", body));
  });
  EXPECT_EQ(client_.ReadReply().body, absl::StrCat("POST /a ", body));
  sender.join();
}

TEST_F(HttpMessagesTest, BodyOverTheLimitIs413EvenWhileItIsBeingSent) {
  std::thread sender([&] {
    client_.Send("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3000000\r\n\r\n");
    client_.Send(std::string(3'000'000, 'x'));
  });
  const RawReply reply = client_.ReadReply();
  EXPECT_EQ(reply.status, 413);
  EXPECT_EQ(reply.Header("connection"), "close");
  EXPECT_THAT(reply.body, testing::HasSubstr("body_too_large"));
  client_.EndSending();
  sender.join();
}

TEST_F(HttpMessagesTest, ChunksOverTheLimitAre413) {
  client_.Send("POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n100001\r\n");
  EXPECT_EQ(client_.ReadReply().status, 413);
}

TEST_F(HttpMessagesTest, HeaderOverTheLimitIs431) {
  client_.Send(absl::StrCat("GET /a HTTP/1.1\r\nHost: a\r\nX: ", std::string(17'000, 'x'), "\r\n\r\n"));
  EXPECT_EQ(client_.ReadReply().status, 431);
}

TEST_F(HttpMessagesTest, BrokenFramingIs400AndClose) {
  for (const absl::string_view broken :
       {"GET /a HTTP/1.1\nHost: a\n\n", "GET /a HTTP/1.1\r\n\r\n", "\x16\x03\x01",
        "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"}) {
    RawHttpClient client(server_->address());
    client.Send(broken);
    const RawReply reply = client.ReadReply();
    EXPECT_EQ(reply.status, 400) << broken;
    EXPECT_EQ(reply.Header("connection"), "close");
    EXPECT_TRUE(client.ReadsEnd());
  }
  client_.Send(kGet);
  EXPECT_EQ(client_.ReadReply().status, 200) << "a good request is served afterwards";
}

TEST_F(HttpMessagesTest, PeerThatLeavesInTheMiddleIsReported) {
  client_.Send("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nabc");
  client_.Close();
  service_.AwaitRefusal(HttpRefusal::kUnfinished);
}

TEST_F(HttpMessagesTest, PeerThatLeavesBeforeItsAnswerHarmsNobody) {
  client_.Send("GET /held HTTP/1.1\r\nHost: a\r\n\r\n");
  client_.Close();
  service_.AnswerHeld(1);
  RawHttpClient other(server_->address());
  other.Send(kGet);
  EXPECT_EQ(other.ReadReply().status, 200);
}

TEST_F(HttpMessagesTest, ForgottenReplyIs503) {
  client_.Send("GET /forgotten HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(client_.ReadReply().status, 503);
}

TEST_F(HttpMessagesTest, HalfClosedPeerGetsItsAnswer) {
  client_.Send(kGet);
  client_.EndSending();
  EXPECT_EQ(client_.ReadReply().body, "GET /a ");
}

}  // namespace
}  // namespace aulm::gateway
