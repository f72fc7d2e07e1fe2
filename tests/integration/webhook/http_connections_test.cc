// How HttpServer deals with many connections, with a shortage of descriptors, and with its own end.
#include <sys/resource.h>

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
constexpr absl::string_view kHeld = "GET /held HTTP/1.1\r\nHost: a\r\n\r\n";
constexpr absl::string_view kIncomplete = "GET /a HTTP/1.1\r\nHost:";

HttpServerOptions Connections(size_t most) {
  HttpServerOptions options;
  options.limits.connections = most;
  return options;
}

void MakeIdle(RawHttpClient& client) {
  client.Send(kGet);
  ASSERT_EQ(client.ReadReply().status, 200);
}

TEST(HttpConnectionsTest, AtTheLimitTheLongestIdleConnectionGivesWayFirst) {
  ScriptedHttpService service;
  const auto server = StartServer(service, Connections(3));
  RawHttpClient incomplete(server->address());
  incomplete.Send(kIncomplete);
  RawHttpClient older(server->address());
  MakeIdle(older);
  RawHttpClient newer(server->address());
  MakeIdle(newer);
  RawHttpClient latest(server->address());
  MakeIdle(latest);
  EXPECT_TRUE(older.ReadsEnd());
  MakeIdle(newer);
  incomplete.Send(" a\r\n\r\n");
  EXPECT_EQ(incomplete.ReadReply().status, 200);
}

TEST(HttpConnectionsTest, WithoutIdleConnectionsTheOldestIncompleteRequestGivesWay) {
  ScriptedHttpService service;
  const auto server = StartServer(service, Connections(2));
  RawHttpClient older(server->address());
  service.AwaitConnections(1);
  RawHttpClient newer(server->address());
  newer.Send(kIncomplete);
  service.AwaitConnections(2);
  RawHttpClient latest(server->address());
  MakeIdle(latest);
  EXPECT_TRUE(older.ReadsEnd());
  service.AwaitRefusal(HttpRefusal::kDisplaced);
  newer.Send(" a\r\n\r\n");
  EXPECT_EQ(newer.ReadReply().status, 200);
}

TEST(HttpConnectionsTest, RequestsBeingAnsweredNeverGiveWay) {
  ScriptedHttpService service;
  const auto server = StartServer(service, Connections(1));
  RawHttpClient busy(server->address());
  busy.Send(kHeld);
  service.AwaitHeld(1);
  RawHttpClient other(server->address());
  EXPECT_TRUE(other.ReadsEnd());
  service.AwaitRefusal(HttpRefusal::kConnectionLimit);
  service.AnswerHeld(1);
  EXPECT_EQ(busy.ReadReply().status, 200);
}

TEST(HttpConnectionsTest, AFewThatHaveJustComeStayWhereTheOthersAreBeingAnswered) {
  ScriptedHttpService service;
  const auto server = StartServer(service, Connections(16));
  std::vector<std::unique_ptr<RawHttpClient>> busy;
  for (size_t i = 1; i <= 14; ++i) {
    busy.push_back(std::make_unique<RawHttpClient>(server->address()));
    busy.back()->Send(kHeld);
    service.AwaitHeld(i);
  }
  RawHttpClient first(server->address());
  service.AwaitConnections(15);
  RawHttpClient second(server->address());
  service.AwaitConnections(16);
  EXPECT_TRUE(RawHttpClient(server->address()).ReadsEnd());
  service.AwaitRefusal(HttpRefusal::kConnectionLimit);
  MakeIdle(second);
  MakeIdle(first);
  service.AnswerHeld(14);
  for (const auto& client : busy) EXPECT_EQ(client->ReadReply().status, 200);
}

TEST(HttpConnectionsTest, SlowConnectionsBeyondTheLimitDoNotKeepAGoodOneOut) {
  ScriptedHttpService service;
  const auto server = StartServer(service, Connections(64));
  std::vector<std::unique_ptr<RawHttpClient>> slow;
  for (int i = 0; i < 200; ++i) {
    slow.push_back(std::make_unique<RawHttpClient>(server->address()));
    ASSERT_TRUE(slow.back()->connected());
    slow.back()->Send("GET /");
  }
  RawHttpClient good(server->address());
  MakeIdle(good);
}

HttpServerOptions PerAddress(size_t most) {
  HttpServerOptions options;
  options.limits.connections_per_address = most;
  return options;
}

TEST(HttpConnectionsTest, AtItsLimitAnAddressMakesRoomByItsOwnConnectionsAlone) {
  ScriptedHttpService service;
  const auto server = StartServer(service, PerAddress(2));
  RawHttpClient other("127.0.0.2", server->address());
  MakeIdle(other);  // the longest idle of all, and of another address
  RawHttpClient incomplete("127.0.0.3", server->address());
  incomplete.Send(kIncomplete);
  service.AwaitConnections(2);
  RawHttpClient idle("127.0.0.3", server->address());
  MakeIdle(idle);
  RawHttpClient latest("127.0.0.3", server->address());
  MakeIdle(latest);
  EXPECT_TRUE(idle.ReadsEnd());
  MakeIdle(other);
  incomplete.Send(" a\r\n\r\n");
  EXPECT_EQ(incomplete.ReadReply().status, 200);
}

TEST(HttpConnectionsTest, AnAddressWhoseConnectionsAreAllBusyGetsNoFurther) {
  ScriptedHttpService service;
  const auto server = StartServer(service, PerAddress(1));
  RawHttpClient busy("127.0.0.2", server->address());
  busy.Send(kHeld);
  service.AwaitHeld(1);
  EXPECT_TRUE(RawHttpClient("127.0.0.2", server->address()).ReadsEnd());
  service.AwaitRefusal(HttpRefusal::kAddressLimit);
  RawHttpClient other("127.0.0.3", server->address());
  MakeIdle(other);
  service.AnswerHeld(1);
  EXPECT_EQ(busy.ReadReply().status, 200);
  MakeIdle(busy);
}

TEST(HttpConnectionsTest, ClosedConnectionsNoLongerCountForTheirAddress) {
  ScriptedHttpService service;
  const auto server = StartServer(service, PerAddress(1));
  for (int i = 0; i < 3; ++i) {
    RawHttpClient client("127.0.0.2", server->address());
    client.Send(kHeld);
    service.AnswerHeld(1);
    EXPECT_EQ(client.ReadReply().status, 200);
    client.Close();
    service.AwaitConnections(0);
  }
}

// Its answers fill every buffer between us, and it takes none of them.
void StopReading(RawHttpClient& client) { client.Send("GET /large HTTP/1.1\r\nHost: a\r\n\r\n"); }

TEST(HttpConnectionsTest, ReadersThatTakeNothingGiveWay) {
  ScriptedHttpService service;
  HttpServerOptions options = Connections(2);
  options.limits.write_time = absl::Hours(1);
  const auto server = StartServer(service, std::move(options));
  RawHttpClient older(server->address(), /*receive_buffer=*/4096);
  StopReading(older);
  service.AwaitRequests(1);
  RawHttpClient newer(server->address(), /*receive_buffer=*/4096);
  StopReading(newer);
  service.AwaitRequests(2);
  RawHttpClient good(server->address());
  MakeIdle(good);
  service.AwaitRefusal(HttpRefusal::kDisplaced);
  service.AwaitConnections(2);
}

TEST(HttpConnectionsTest, IncompleteBodiesOverTheirMemoryMakeTheOldestGiveWay) {
  ScriptedHttpService service;
  HttpServerOptions options;
  options.limits.incomplete_body_bytes = 300'000;
  const auto server = StartServer(service, std::move(options));
  const std::string part = "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n" + std::string(199'999, 'x');
  RawHttpClient innocent(server->address());
  innocent.Send(kIncomplete);
  service.AwaitConnections(1);
  RawHttpClient first(server->address());
  RawHttpClient second(server->address());
  first.Send(part);
  second.Send(part);
  service.AwaitRefusal(HttpRefusal::kDisplaced);
  service.AwaitConnections(2);
  innocent.Send(" a\r\n\r\n");
  EXPECT_EQ(innocent.ReadReply().status, 200) << "it holds none of the memory";
  RawHttpClient third(server->address());
  MakeIdle(third);
}

TEST(HttpConnectionsTest, TwoThreadsShareTheConnections) {
  ScriptedHttpService service;
  HttpServerOptions options = Connections(64);
  options.threads = 2;
  const auto server = StartServer(service, std::move(options));
  std::vector<std::unique_ptr<RawHttpClient>> clients;
  for (int i = 0; i < 20; ++i) {
    clients.push_back(std::make_unique<RawHttpClient>(server->address()));
    clients.back()->Send(kHeld);
  }
  service.AnswerHeld(20);
  for (auto& client : clients) EXPECT_EQ(client->ReadReply().status, 200);
}

TEST(HttpConnectionsTest, ClosedConnectionsAreCounted) {
  ScriptedHttpService service;
  const auto server = StartServer(service);
  {
    RawHttpClient client(server->address());
    MakeIdle(client);
    service.AwaitConnections(1);
  }
  service.AwaitConnections(0);
}

TEST(HttpConnectionsTest, AcceptingGoesOnAfterAShortageOfDescriptors) {
  ScriptedHttpService service;
  const auto server = StartServer(service);
  RawHttpClient early(server->address());
  MakeIdle(early);
  RawHttpClient late;
  rlimit before;
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit none = before;
  none.rlim_cur = static_cast<rlim_t>(late.descriptor()) + 1;  // this client's is the last that there is
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  ASSERT_TRUE(late.Connect(server->address())) << "the kernel takes the connection, the server cannot";
  late.Send(kGet);
  MakeIdle(early);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_EQ(late.ReadReply().status, 200);
}

TEST(HttpConnectionsTest, StopLetsRequestsUnderWayFinish) {
  ScriptedHttpService service;
  const auto server = StartServer(service);
  RawHttpClient busy(server->address());
  busy.Send(kHeld);
  service.AwaitHeld(1);
  RawHttpClient idle(server->address());
  MakeIdle(idle);
  std::thread stopping([&] { server->Stop(absl::Seconds(20)); });
  EXPECT_TRUE(idle.ReadsEnd());
  service.AnswerHeld(1);
  const RawReply reply = busy.ReadReply();
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.Header("connection"), "close");
  busy.Close();
  stopping.join();
  EXPECT_FALSE(RawHttpClient(server->address()).connected());
}

TEST(HttpConnectionsTest, StopEndsWhatOutlivesTheGrace) {
  ScriptedHttpService service;
  const auto server = StartServer(service);
  RawHttpClient busy(server->address());
  busy.Send("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc");
  RawHttpClient held(server->address());
  held.Send(kHeld);
  service.AwaitHeld(1);
  server->Stop(absl::Milliseconds(50));
  EXPECT_TRUE(busy.ReadsEnd());
  service.AwaitConnections(0);
}

TEST(HttpConnectionsTest, AnswerAfterTheServerHasGoneIsDropped) {
  ScriptedHttpService service;
  auto server = StartServer(service);
  RawHttpClient busy(server->address());
  busy.Send(kHeld);
  service.AwaitHeld(1);
  server.reset();
  EXPECT_TRUE(busy.ReadsEnd());
  service.AnswerHeld(1);
}

TEST(HttpServerTest, AddressThatIsNoneIsRefused) {
  ScriptedHttpService service;
  for (const char* address : {"8080", "127.0.0.1:port", "127.0.0.1:70000", "no such host:1"}) {
    HttpServerOptions options;
    options.name = "webhook";
    options.address = address;
    EXPECT_EQ(HttpServer::Start(options, &service).status().code(), absl::StatusCode::kInvalidArgument) << address;
  }
}

TEST(HttpServerTest, AddressInUseIsRefusedWithItsName) {
  ScriptedHttpService service;
  const auto server = StartServer(service);
  HttpServerOptions options;
  options.name = "webhook";
  options.address = server->address();
  const absl::Status status = HttpServer::Start(options, &service).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), testing::HasSubstr(server->address()));
}

TEST(HttpServerTest, Ipv6AddressIsServed) {
  ScriptedHttpService service;
  HttpServerOptions options;
  options.address = "[::1]:0";
  auto server = HttpServer::Start(options, &service);
  if (!server.ok()) GTEST_SKIP() << "this machine has no IPv6: " << server.status();
  EXPECT_THAT((*server)->address(), testing::StartsWith("[::1]:"));
}

}  // namespace
}  // namespace aulm::gateway
