// Peers that are slow: each part of an exchange has its time. The limits are small so that the tests are quick; a test
// waits for what the server does, never for a time.
#include <memory>
#include <string>

#include "gtest/gtest.h"
#include "service/http/http_server.h"
#include "tests/integration/webhook/scripted_http_service.h"
#include "tests/support/raw_http_client.h"

namespace aulm::gateway {
namespace {

HttpServerOptions Options(absl::Duration HttpLimits::* limit) {
  HttpServerOptions options;
  options.limits.*limit = absl::Milliseconds(80);
  return options;
}

constexpr absl::string_view kGet = "GET /a HTTP/1.1\r\nHost: a\r\n\r\n";

TEST(HttpTimesTest, ConnectionThatSaysNothingIsClosed) {
  ScriptedHttpService service;
  const auto server = StartServer(service, Options(&HttpLimits::header_time));
  RawHttpClient client(server->address());
  EXPECT_TRUE(client.ReadsEnd());
  service.AwaitRefusal(HttpRefusal::kHeaderTime);
}

TEST(HttpTimesTest, HeaderThatTricklesIsClosed) {
  ScriptedHttpService service;
  const auto server = StartServer(service, Options(&HttpLimits::header_time));
  RawHttpClient client(server->address());
  const std::string endless = "GET /a HTTP/1.1\r\nX: " + std::string(8000, 'x');
  size_t sent = 0;
  while (sent < endless.size() && client.Send(endless.substr(sent, 1)) && service.refusals() == 0) ++sent;
  EXPECT_TRUE(client.ReadsEnd());
  service.AwaitRefusal(HttpRefusal::kHeaderTime);
}

TEST(HttpTimesTest, LaterRequestsHaveTheHeaderTimeToo) {
  ScriptedHttpService service;
  const auto server = StartServer(service, Options(&HttpLimits::header_time));
  RawHttpClient client(server->address());
  client.Send(kGet);
  EXPECT_EQ(client.ReadReply().status, 200);
  client.Send("GET /a HTT");
  EXPECT_TRUE(client.ReadsEnd());
  service.AwaitRefusal(HttpRefusal::kHeaderTime);
}

TEST(HttpTimesTest, SlowBodyIsClosedWithoutAnAnswer) {
  ScriptedHttpService service;
  const auto server = StartServer(service, Options(&HttpLimits::body_time));
  RawHttpClient client(server->address());
  client.Send("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc");
  EXPECT_TRUE(client.ReadsEnd()) << "a 4xx would make aulm give the delivery up";
  service.AwaitRefusal(HttpRefusal::kBodyTime);
}

TEST(HttpTimesTest, SlowChunksAreClosed) {
  ScriptedHttpService service;
  const auto server = StartServer(service, Options(&HttpLimits::body_time));
  RawHttpClient client(server->address());
  client.Send("POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab");
  EXPECT_TRUE(client.ReadsEnd());
  service.AwaitRefusal(HttpRefusal::kBodyTime);
}

TEST(HttpTimesTest, PeerThatWaitsForeverAfterContinueIsClosed) {
  ScriptedHttpService service;
  const auto server = StartServer(service, Options(&HttpLimits::body_time));
  RawHttpClient client(server->address());
  client.Send("POST /a HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 10\r\n\r\n");
  EXPECT_EQ(client.ReadReply().status, 100);
  EXPECT_TRUE(client.ReadsEnd());
}

TEST(HttpTimesTest, SlowReaderIsClosed) {
  ScriptedHttpService service;
  const auto server = StartServer(service, Options(&HttpLimits::write_time));
  RawHttpClient client(server->address(), /*receive_buffer=*/4096);
  client.Send("GET /large HTTP/1.1\r\nHost: a\r\n\r\n");
  service.AwaitRefusal(HttpRefusal::kWriteTime);
  service.AwaitConnections(0);
}

TEST(HttpTimesTest, LargeAnswerReachesAReaderThatReads) {
  ScriptedHttpService service;
  const auto server = StartServer(service);
  RawHttpClient client(server->address());
  client.Send("GET /large HTTP/1.1\r\nHost: a\r\n\r\n");
  const RawReply reply = client.ReadReply();
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.body.size(), size_t{64} << 20);
}

TEST(HttpTimesTest, IdleConnectionIsClosedInSilence) {
  ScriptedHttpService service;
  const auto server = StartServer(service, Options(&HttpLimits::idle_time));
  RawHttpClient client(server->address());
  client.Send(kGet);
  EXPECT_EQ(client.ReadReply().status, 200);
  EXPECT_TRUE(client.ReadsEnd());
  EXPECT_EQ(service.refusals(), 0u);
}

TEST(HttpTimesTest, ServiceThatTakesTooLongIs503AndItsLateAnswerIsDropped) {
  ScriptedHttpService service;
  const auto server = StartServer(service, Options(&HttpLimits::answer_time));
  RawHttpClient client(server->address());
  client.Send("GET /held HTTP/1.1\r\nHost: a\r\n\r\n");
  const RawReply reply = client.ReadReply();
  EXPECT_EQ(reply.status, 503);
  EXPECT_EQ(reply.Header("connection"), "close");
  service.AnswerHeld(1);
  EXPECT_TRUE(client.ReadsEnd());
}

TEST(HttpTimesTest, RefusedPeerThatGoesOnSendingIsClosedAfterAWhile) {
  ScriptedHttpService service;
  const auto server = StartServer(service, Options(&HttpLimits::linger_time));
  RawHttpClient client(server->address());
  client.Send("BROKEN\r\n\r\n");
  EXPECT_EQ(client.ReadReply().status, 400);
  service.AwaitConnections(0);
}

}  // namespace
}  // namespace aulm::gateway
