#include "service/webhook/webhook_service.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "prometheus/text_serializer.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_event_log.h"
#include "tests/unit/webhook/delivery_fixture.h"

namespace aulm::gateway {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

constexpr char kBody[] = R"({"event": "inbound_message", "delivery_id": "d-1", "from": "+966512345678", "body": "hi"})";

// Where an answer arrives.
class Answer final : public ReplyTarget {
 public:
  void Deliver(uint64_t, ServedReply reply) override { given = std::move(reply); }

  int status() const { return given.has_value() ? given->status : 0; }
  std::string RetryAfter() const {
    for (const auto& [name, value] : given->headers) {
      if (name == "retry-after") return value;
    }
    return "";
  }

  std::optional<ServedReply> given;
};

class WebhookServiceTest : public testing::Test {
 protected:
  WebhookServiceTest() { Make({}); }

  void Make(WebhookOptions options, WrongSignatureAnswer on_wrong_signature = WrongSignatureAnswer::kReject) {
    service_.reset();
    metrics_.emplace(registry_.emplace());
    service_ = std::make_unique<WebhookService>(
        options, std::vector<WebhookAccount>{{"default", secrets_, on_wrong_signature}, {"shop", shop_secrets_}},
        clock_, log_, *metrics_);
  }

  // Both steps that the server takes with a request.
  std::shared_ptr<Answer> Post(Delivery& delivery) {
    auto answer = std::make_shared<Answer>();
    if (std::optional<ServedReply> refused = service_->Admit(delivery.request()); refused.has_value()) {
      answer->given = std::move(refused);
    } else {
      service_->Handle(delivery.request(), Reply(answer, 1));
    }
    return answer;
  }

  std::shared_ptr<Answer> PostSigned(std::string body = kBody) {
    Delivery delivery(std::move(body));
    return Post(delivery.SignedWith("secret"));
  }

  std::string Metrics() const { return prometheus::TextSerializer().Serialize(registry_->Collect()); }

  FakeClock clock_;
  FakeEventLog log_;
  const std::shared_ptr<WebhookSecrets> secrets_ =
      std::make_shared<WebhookSecrets>(std::vector<absl::string_view>{"old", "secret"});
  const std::shared_ptr<WebhookSecrets> shop_secrets_ =
      std::make_shared<WebhookSecrets>(std::vector<absl::string_view>{"of the shop"});
  std::optional<prometheus::Registry> registry_;
  std::optional<WebhookMetrics> metrics_;
  std::unique_ptr<WebhookService> service_;
};

TEST_F(WebhookServiceTest, NewDeliveryIsStoredThenAnswered200) {
  log_.HoldAppends(true);
  const auto answer = PostSigned();
  EXPECT_EQ(answer->status(), 0) << "not before it is durable";
  EXPECT_EQ(service_->in_flight(), 1u);
  log_.ReleaseAppends();
  EXPECT_EQ(answer->status(), 200);
  EXPECT_EQ(service_->in_flight(), 0u);
  const std::vector<NewEvent> stored = log_.stored();
  ASSERT_THAT(stored, SizeIs(1));
  EXPECT_EQ(stored[0].account, "default");
  EXPECT_EQ(stored[0].delivery_id, "d-1");
  EXPECT_EQ(stored[0].raw_body, kBody);
}

TEST_F(WebhookServiceTest, DuplicateIsAnswered200AndNotStored) {
  PostSigned();
  const auto answer = PostSigned();
  EXPECT_EQ(answer->status(), 200);
  EXPECT_THAT(answer->given->body, HasSubstr("duplicate"));
  EXPECT_THAT(log_.stored(), SizeIs(1));
  EXPECT_THAT(Metrics(), HasSubstr("aulm_webhooks_total{account=\"default\",outcome=\"duplicate\"} 1"));
}

TEST_F(WebhookServiceTest, UnsignedDeliveryIs401) {
  Delivery delivery(kBody);
  const auto answer = Post(delivery);
  EXPECT_EQ(answer->status(), 401);
  EXPECT_THAT(answer->given->body, HasSubstr("signature_missing"));
  EXPECT_THAT(log_.stored(), IsEmpty());
}

TEST_F(WebhookServiceTest, MalformedSignatureIs401) {
  Delivery delivery(kBody);
  EXPECT_EQ(Post(delivery.With("x-aulm-signature", "sha256=abc"))->status(), 401);
}

TEST_F(WebhookServiceTest, WrongSignatureIs401UnderReject) {
  Delivery delivery(kBody);
  const auto answer = Post(delivery.SignedWith("another"));
  EXPECT_EQ(answer->status(), 401);
  EXPECT_THAT(answer->given->body, HasSubstr("signature_wrong"));
  EXPECT_THAT(log_.stored(), IsEmpty());
}

TEST_F(WebhookServiceTest, WrongSignatureIs429UnderRetry) {
  Make({}, WrongSignatureAnswer::kRetry);
  Delivery delivery(kBody);
  const auto answer = Post(delivery.SignedWith("another"));
  EXPECT_EQ(answer->status(), 429);
  EXPECT_EQ(answer->RetryAfter(), "60");
  EXPECT_THAT(log_.stored(), IsEmpty());
}

TEST_F(WebhookServiceTest, AbsentSignatureIs401EvenUnderRetry) {
  Make({}, WrongSignatureAnswer::kRetry);
  Delivery delivery(kBody);
  EXPECT_EQ(Post(delivery)->status(), 401);
}

TEST_F(WebhookServiceTest, ReplacedSecretsHoldAtOnce) {
  secrets_->Replace({"fresh"});
  EXPECT_EQ(PostSigned()->status(), 401);
  Delivery delivery(kBody);
  EXPECT_EQ(Post(delivery.SignedWith("fresh"))->status(), 200);
}

TEST_F(WebhookServiceTest, WithoutSecretsItIs503SinceTheFaultIsOurs) {
  secrets_->Replace({});
  EXPECT_EQ(PostSigned()->status(), 503);
}

TEST_F(WebhookServiceTest, SlotOfTheSecretIsCounted) {
  PostSigned();
  EXPECT_THAT(Metrics(), HasSubstr("aulm_webhook_signatures_total{account=\"default\",slot=\"1\"} 1"));
}

TEST_F(WebhookServiceTest, PathNamesTheAccount) {
  Delivery delivery(kBody);
  EXPECT_EQ(Post(delivery.At("/webhooks/aulm/shop").SignedWith("of the shop"))->status(), 200);
  EXPECT_EQ(log_.stored().at(0).account, "shop");
}

TEST_F(WebhookServiceTest, SecretsOfOneAccountDoNotOpenAnother) {
  Delivery delivery(kBody);
  EXPECT_EQ(Post(delivery.At("/webhooks/aulm/shop").SignedWith("secret"))->status(), 401);
}

TEST_F(WebhookServiceTest, SameIdOfAnotherAccountIsNoDuplicate) {
  PostSigned();
  Delivery delivery(kBody);
  Post(delivery.At("/webhooks/aulm/shop").SignedWith("of the shop"));
  EXPECT_THAT(log_.stored(), SizeIs(2));
}

TEST_F(WebhookServiceTest, OtherPathsAndAccountsAre404) {
  for (const char* path : {"/", "/webhooks", "/webhooks/aulm/", "/webhooks/aulm/unknown", "/webhooks/aulmx",
                           "/webhooks/aulm/shop/", "/webhooks/aulm/Shop", "//webhooks/aulm", "*"}) {
    Delivery delivery(kBody);
    EXPECT_EQ(Post(delivery.At(path).SignedWith("secret"))->status(), 404) << path;
  }
  EXPECT_THAT(log_.stored(), IsEmpty());
}

TEST_F(WebhookServiceTest, OtherMethodsAre405) {
  for (const char* method : {"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "post"}) {
    Delivery delivery(kBody);
    delivery.SignedWith("secret").request().method = method;
    EXPECT_EQ(Post(delivery)->status(), 405) << method;
  }
}

TEST_F(WebhookServiceTest, UnknownEventIsStored) {
  EXPECT_EQ(PostSigned("not json")->status(), 200);
  EXPECT_EQ(log_.stored().at(0).raw_body, "not json");
  EXPECT_THAT(Metrics(), HasSubstr("aulm_webhook_unknown_events_total{account=\"default\"} 1"));
}

TEST_F(WebhookServiceTest, DisagreementsAreCounted) {
  Delivery delivery(kBody);
  Post(delivery.SignedWith("secret").With("x-aulm-event", "other").With("x-aulm-delivery-id", "other"));
  EXPECT_EQ(log_.stored().at(0).delivery_id, "d-1");
  EXPECT_THAT(Metrics(), HasSubstr("aulm_webhook_disagreements_total{account=\"default\",field=\"event\"} 1"));
  EXPECT_THAT(Metrics(), HasSubstr("aulm_webhook_disagreements_total{account=\"default\",field=\"delivery_id\"} 1"));
}

TEST_F(WebhookServiceTest, BeyondItsBoundItIs429) {
  WebhookOptions options;
  options.max_in_flight = 2;
  Make(options);
  log_.HoldAppends(true);
  const auto first = PostSigned("1");
  const auto second = PostSigned("2");
  const auto third = PostSigned("3");
  EXPECT_EQ(third->status(), 429);
  EXPECT_EQ(third->RetryAfter(), "5");
  log_.ReleaseAppends();
  EXPECT_EQ(first->status(), 200);
  EXPECT_EQ(second->status(), 200);
  log_.HoldAppends(false);
  EXPECT_EQ(PostSigned("4")->status(), 200);
}

TEST_F(WebhookServiceTest, DrainingIs429AndWhatIsUnderWayFinishes) {
  log_.HoldAppends(true);
  const auto early = PostSigned();
  service_->Drain();
  const auto late = PostSigned("late");
  EXPECT_EQ(late->status(), 429);
  EXPECT_EQ(late->RetryAfter(), "5");
  log_.ReleaseAppends();
  EXPECT_EQ(early->status(), 200);
  EXPECT_THAT(log_.stored(), SizeIs(1));
}

TEST_F(WebhookServiceTest, FullStoreIs503) {
  log_.FailAppends(absl::ResourceExhaustedError("the disk is full"));
  EXPECT_EQ(PostSigned()->status(), 503);
}

TEST_F(WebhookServiceTest, FailingStoreIs503WhateverItsStatus) {
  for (const absl::StatusCode code : {absl::StatusCode::kUnavailable, absl::StatusCode::kInternal,
                                      absl::StatusCode::kInvalidArgument, absl::StatusCode::kNotFound}) {
    log_.FailAppends(absl::Status(code, "failing"));
    EXPECT_EQ(PostSigned()->status(), 503);
  }
  log_.FailAppends(absl::OkStatus());
  EXPECT_EQ(PostSigned()->status(), 200) << "and the same delivery is taken once the store works again";
}

TEST_F(WebhookServiceTest, AnswersNeverRepeatTheRequest) {
  Delivery delivery(R"({"canary": "c4n4ry"})");
  const auto answer = Post(delivery.With("x-aulm-signature", "c4n4ry").With("x-aulm-event", "c4n4ry"));
  EXPECT_THAT(answer->given->body, Not(HasSubstr("c4n4ry")));
}

TEST_F(WebhookServiceTest, LogsNeitherBodiesNorNumbers) {
  testing::internal::CaptureStderr();
  Delivery wrong(kBody);
  Post(wrong.SignedWith("another"));
  log_.FailAppends(absl::UnavailableError("failing"));
  PostSigned();
  const std::string lines = testing::internal::GetCapturedStderr();
  EXPECT_THAT(lines, HasSubstr("signature_wrong"));
  EXPECT_THAT(lines, HasSubstr("webhook_not_stored"));
  EXPECT_THAT(lines, Not(HasSubstr("966512345678")));
  EXPECT_THAT(lines, Not(HasSubstr("inbound_message")));
}

TEST_F(WebhookServiceTest, FloodOfRefusalsIsLoggedInPart) {
  testing::internal::CaptureStderr();
  for (int i = 0; i < 1000; ++i) {
    Delivery delivery("{}");
    Post(delivery);
  }
  const std::string lines = testing::internal::GetCapturedStderr();
  EXPECT_THAT(lines, SizeIs(testing::Lt(10'000u)));
  EXPECT_THAT(Metrics(), HasSubstr("aulm_webhooks_total{account=\"default\",outcome=\"signature_missing\"} 1000"));
}

TEST_F(WebhookServiceTest, ConnectionsAreCounted) {
  service_->OnConnections(1);
  service_->OnConnections(1);
  service_->OnConnections(-1);
  EXPECT_THAT(Metrics(), HasSubstr("aulm_webhook_connections 1"));
}

}  // namespace
}  // namespace aulm::gateway
