// What aulm gets for each kind of delivery (the table "Webhooks, decided once" of the design), row by row: raw bytes
// over a real socket to a WebhookService on an HttpServer, with an event log that does as it is told.
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "aulm/gateway/v1/event.pb.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "prometheus/registry.h"
#include "prometheus/text_serializer.h"
#include "service/http/http_server.h"
#include "service/webhook/webhook_service.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_event_log.h"
#include "tests/support/raw_http_client.h"
#include "tests/support/webhook_client.h"

namespace aulm::gateway {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr char kSecret[] = "whsec_of_the_test";
constexpr char kSession[] = "0f0e6a2c-1111-4222-8333-444455556666";

struct Post {
  std::string body = InboundMessageBody("d-1", kSession, "+966512345678", "hi");
  std::string method = "POST";
  std::string path = "/webhooks/aulm";
  std::string signature;  // empty: the right one
  std::string fields;     // more of them
};

std::string Message(const Post& post) {
  const std::string signature = post.signature.empty() ? SignDelivery(kSecret, post.body) : post.signature;
  return absl::StrCat(post.method, " ", post.path, " HTTP/1.1\r\nHost: gateway\r\nx-aulm-signature: ", signature,
                      "\r\n", post.fields, "content-length: ", post.body.size(), "\r\n\r\n", post.body);
}

class WebhookTableTest : public testing::Test {
 protected:
  void Start(WebhookOptions options = {}, WrongSignatureAnswer on_wrong = WrongSignatureAnswer::kReject) {
    service_ = std::make_unique<WebhookService>(
        options, std::vector<WebhookAccount>{{"default", secrets_, on_wrong}, {"shop", secrets_, on_wrong}}, clock_,
        log_, metrics_);
    HttpServerOptions server;
    server.name = "webhook";
    server.address = "127.0.0.1:0";
    auto started = HttpServer::Start(server, service_.get());
    ASSERT_TRUE(started.ok()) << started.status();
    server_ = *std::move(started);
  }

  RawReply Send(const Post& post) {
    RawHttpClient client(server_->address());
    client.Send(Message(post));
    return client.ReadReply(post.method == "HEAD");
  }

  v1::Event Stored(size_t index) {
    v1::Event event;
    EXPECT_TRUE(event.ParseFromString(log_.stored().at(index).event));
    return event;
  }

  std::string Metrics() { return prometheus::TextSerializer().Serialize(registry_.Collect()); }

  FakeClock clock_;
  FakeEventLog log_;
  prometheus::Registry registry_;
  WebhookMetrics metrics_{registry_};
  const std::shared_ptr<WebhookSecrets> secrets_ =
      std::make_shared<WebhookSecrets>(std::vector<absl::string_view>{kSecret});
  std::unique_ptr<WebhookService> service_;
  std::unique_ptr<HttpServer> server_;
};

TEST_F(WebhookTableTest, ValidAndNewIsDurableFirstThen200) {
  Start();
  log_.HoldAppends(true);
  RawHttpClient client(server_->address());
  client.Send(Message({}));
  while (log_.held_appends() == 0) std::this_thread::yield();
  EXPECT_FALSE(client.HasByteNow()) << "answered before it was durable";
  log_.ReleaseAppends();
  EXPECT_EQ(client.ReadReply().status, 200);
  EXPECT_THAT(log_.stored(), SizeIs(1));
}

TEST_F(WebhookTableTest, DeliveryIdSeenBeforeIs200AndNotPublishedTwice) {
  Start();
  EXPECT_EQ(Send({}).status, 200);
  Post again;
  again.fields = "x-aulm-attempt: 2\r\n";
  EXPECT_EQ(Send(again).status, 200);
  EXPECT_THAT(log_.stored(), SizeIs(1));
}

TEST_F(WebhookTableTest, KnownEventWithUnknownValuesIsTypedWithItsRawBody) {
  Start();
  Post post;
  post.body =
      R"({"event": "message_status", "delivery_id": "d", "status": "teleported", "to": "+1", "planet": {"x": 1}})";
  EXPECT_EQ(Send(post).status, 200);
  EXPECT_EQ(Stored(0).type(), v1::EVENT_TYPE_MESSAGE_STATUS);
  EXPECT_EQ(Stored(0).message_status().aulm_status(), "teleported");
  EXPECT_EQ(log_.stored().at(0).raw_body, post.body);
}

TEST_F(WebhookTableTest, UnknownEventIsStoredRawUnderTheBodysName) {
  Start();
  Post post;
  post.body = R"({"event": "session_banned", "why": 1})";
  post.fields = "x-aulm-event: other\r\n";
  EXPECT_EQ(Send(post).status, 200);
  EXPECT_EQ(Stored(0).type(), v1::EVENT_TYPE_UNKNOWN);
  EXPECT_EQ(Stored(0).event_name(), "session_banned");
  EXPECT_EQ(log_.stored().at(0).raw_body, post.body);
}

TEST_F(WebhookTableTest, BodyThatIsNoObjectIsStoredRawUnderTheHeadersName) {
  Start();
  for (const std::string body : {"", "no json", "[]", "{\"event\": "}) {
    Post post;
    post.body = body;
    post.fields = "x-aulm-event: message_status\r\n";
    EXPECT_EQ(Send(post).status, 200) << body;
  }
  ASSERT_THAT(log_.stored(), SizeIs(4));
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(Stored(i).type(), v1::EVENT_TYPE_UNKNOWN);
    EXPECT_EQ(Stored(i).event_name(), "message_status");
  }
}

TEST_F(WebhookTableTest, SignedBodyWinsOverTheHeadersAndIsCounted) {
  Start();
  Post post;
  post.fields = "x-aulm-event: message_status\r\nx-aulm-delivery-id: other\r\n";
  EXPECT_EQ(Send(post).status, 200);
  EXPECT_EQ(Stored(0).type(), v1::EVENT_TYPE_INBOUND_MESSAGE);
  EXPECT_EQ(log_.stored().at(0).delivery_id, "d-1");
  EXPECT_THAT(Metrics(), HasSubstr("aulm_webhook_disagreements_total{account=\"default\",field=\"event\"} 1"));
  EXPECT_THAT(Metrics(), HasSubstr("aulm_webhook_disagreements_total{account=\"default\",field=\"delivery_id\"} 1"));
}

TEST_F(WebhookTableTest, TestDeliveryIsStoredAsTest) {
  Start();
  Post post;
  post.body = R"({"event": "inbound_message", "delivery_id": "d", "test": true})";
  EXPECT_EQ(Send(post).status, 200);
  EXPECT_TRUE(Stored(0).test());
  EXPECT_TRUE(log_.stored().at(0).test);
}

TEST_F(WebhookTableTest, AbsentSignatureIs401) {
  Start();
  RawHttpClient client(server_->address());
  client.Send("POST /webhooks/aulm HTTP/1.1\r\nHost: a\r\ncontent-length: 2\r\n\r\n{}");
  EXPECT_EQ(client.ReadReply().status, 401);
  EXPECT_THAT(log_.stored(), IsEmpty());
}

TEST_F(WebhookTableTest, MalformedSignatureIs401EvenUnderRetry) {
  Start({}, WrongSignatureAnswer::kRetry);
  Post post;
  post.signature = "sha256=short";
  EXPECT_EQ(Send(post).status, 401);
}

TEST_F(WebhookTableTest, WrongSignatureUnderRejectIs401) {
  Start();
  Post post;
  post.signature = SignDelivery("another secret", post.body);
  EXPECT_EQ(Send(post).status, 401);
  EXPECT_THAT(log_.stored(), IsEmpty());
}

TEST_F(WebhookTableTest, WrongSignatureUnderRetryIs429WithRetryAfter) {
  Start({}, WrongSignatureAnswer::kRetry);
  Post post;
  post.signature = SignDelivery("another secret", post.body);
  const RawReply reply = Send(post);
  EXPECT_EQ(reply.status, 429);
  EXPECT_EQ(reply.Header("retry-after"), "60");
  EXPECT_THAT(log_.stored(), IsEmpty());
}

TEST_F(WebhookTableTest, OverloadedIs429WithRetryAfter) {
  WebhookOptions options;
  options.max_in_flight = 1;
  Start(options);
  log_.HoldAppends(true);
  RawHttpClient first(server_->address());
  first.Send(Message({}));
  while (log_.held_appends() == 0) std::this_thread::yield();
  const RawReply reply = Send({});
  EXPECT_EQ(reply.status, 429);
  EXPECT_EQ(reply.Header("retry-after"), "5");
  log_.HoldAppends(false);
  EXPECT_EQ(first.ReadReply().status, 200);
}

TEST_F(WebhookTableTest, DrainingIs429WithRetryAfter) {
  Start();
  service_->Drain();
  const RawReply reply = Send({});
  EXPECT_EQ(reply.status, 429);
  EXPECT_EQ(reply.Header("retry-after"), "5");
  EXPECT_THAT(log_.stored(), IsEmpty());
}

TEST_F(WebhookTableTest, FullOrFailingStoreIs503) {
  Start();
  log_.FailAppends(absl::ResourceExhaustedError("full"), 1);
  EXPECT_EQ(Send({}).status, 503);
  log_.FailAppends(absl::UnavailableError("failing"), 1);
  EXPECT_EQ(Send({}).status, 503);
  EXPECT_EQ(Send({}).status, 200) << "the delivery is new until it was stored";
}

TEST_F(WebhookTableTest, MissingSecretIs503SinceTheFaultIsOurs) {
  Start();
  secrets_->Replace({});
  EXPECT_EQ(Send({}).status, 503);
}

TEST_F(WebhookTableTest, OtherMethodIs405) {
  Start();
  for (const char* method : {"GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"}) {
    Post post;
    post.method = method;
    const RawReply reply = Send(post);
    EXPECT_EQ(reply.status, 405) << method;
    EXPECT_EQ(reply.Header("allow"), "POST");
  }
}

TEST_F(WebhookTableTest, OtherPathOrAccountIs404) {
  Start();
  for (const char* path : {"/", "/webhooks", "/webhooks/aulm/", "/webhooks/aulm/nobody", "/webhooks/aulm/shop/x"}) {
    Post post;
    post.path = path;
    EXPECT_EQ(Send(post).status, 404) << path;
  }
}

TEST_F(WebhookTableTest, AccountOfThePathGetsTheDelivery) {
  Start();
  Post post;
  post.path = "/webhooks/aulm/shop?from=aulm";
  EXPECT_EQ(Send(post).status, 200);
  EXPECT_EQ(log_.stored().at(0).account, "shop");
}

TEST_F(WebhookTableTest, BodyOfAMebibyteIsStoredAndAByteMoreIs413) {
  Start();
  Post post;
  post.body = std::string(1 << 20, 'x');
  EXPECT_EQ(Send(post).status, 200);
  EXPECT_EQ(log_.stored().at(0).raw_body, post.body);
  post.body.push_back('x');
  RawHttpClient client(server_->address());
  std::thread sender([&] { client.Send(Message(post)); });
  EXPECT_EQ(client.ReadReply().status, 413);
  sender.join();
  EXPECT_THAT(Metrics(), HasSubstr("aulm_webhook_refused_total{reason=\"body_too_large\"} 1"));
}

TEST_F(WebhookTableTest, BrokenFramingIs400AndCloses) {
  Start();
  RawHttpClient client(server_->address());
  client.Send("POST /webhooks/aulm HTTP/1.1\r\nHost: a\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}");
  EXPECT_EQ(client.ReadReply().status, 400);
  EXPECT_TRUE(client.ReadsEnd());
  EXPECT_THAT(Metrics(), HasSubstr("aulm_webhook_refused_total{reason=\"broken_framing\"} 1"));
}

TEST_F(WebhookTableTest, ChunkedAndExpectedDeliveriesAreVerifiedAlike) {
  Start();
  const std::string body = InboundMessageBody("d-1", kSession, "+966512345678", "hi");
  RawHttpClient client(server_->address());
  client.Send(absl::StrCat("POST /webhooks/aulm HTTP/1.1\r\nHost: a\r\nexpect: 100-continue\r\n",
                           "transfer-encoding: chunked\r\nx-aulm-signature: ", SignDelivery(kSecret, body),
                           "\r\n\r\n"));
  EXPECT_EQ(client.ReadReply().status, 100);
  client.Send(absl::StrCat("8\r\n", body.substr(0, 8), "\r\n"));
  client.Send(absl::StrCat(absl::Hex(body.size() - 8), "\r\n", body.substr(8), "\r\n0\r\n\r\n"));
  EXPECT_EQ(client.ReadReply().status, 200);
  EXPECT_EQ(log_.stored().at(0).raw_body, body);
}

TEST_F(WebhookTableTest, PipelinedDeliveriesAreAllStoredInOrder) {
  Start();
  std::string messages;
  for (int i = 0; i < 20; ++i) {
    Post post;
    post.body = InboundMessageBody(absl::StrCat("d-", i), kSession, "+966512345678", "hi");
    absl::StrAppend(&messages, Message(post));
  }
  RawHttpClient client(server_->address());
  client.Send(messages);
  for (int i = 0; i < 20; ++i) ASSERT_EQ(client.ReadReply().status, 200);
  const std::vector<NewEvent> stored = log_.stored();
  ASSERT_THAT(stored, SizeIs(20));
  for (int i = 0; i < 20; ++i) EXPECT_EQ(stored[i].delivery_id, absl::StrCat("d-", i));
}

TEST_F(WebhookTableTest, ManySendersAtOnceAreAllStoredOnce) {
  Start();
  std::vector<std::thread> senders;
  for (int sender = 0; sender < 8; ++sender) {
    senders.emplace_back([&, sender] {
      RawHttpClient client(server_->address());
      for (int i = 0; i < 50; ++i) {
        Post post;
        post.body = InboundMessageBody(absl::StrCat(sender, "-", i), kSession, "+966512345678", "hi");
        client.Send(Message(post));
        ASSERT_EQ(client.ReadReply().status, 200);
      }
    });
  }
  for (std::thread& sender : senders) sender.join();
  EXPECT_THAT(log_.stored(), SizeIs(400));
}

}  // namespace
}  // namespace aulm::gateway
