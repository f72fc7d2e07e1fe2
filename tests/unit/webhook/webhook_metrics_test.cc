#include "service/webhook/webhook_metrics.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "prometheus/text_serializer.h"

namespace aulm::gateway {
namespace {

using testing::HasSubstr;

std::string Text(const prometheus::Registry& registry) {
  return prometheus::TextSerializer().Serialize(registry.Collect());
}

TEST(WebhookMetricsTest, SeriesOfAnAccountStartAtZero) {
  prometheus::Registry registry;
  WebhookMetrics metrics(registry);
  metrics.AddAccount("shop");
  const std::string text = Text(registry);
  EXPECT_THAT(text, HasSubstr("aulm_webhooks_total{account=\"shop\",outcome=\"stored\"} 0"));
  EXPECT_THAT(text, HasSubstr("aulm_webhooks_total{account=\"shop\",outcome=\"duplicate\"} 0"));
  EXPECT_THAT(text, HasSubstr("aulm_webhook_signatures_total{account=\"shop\",slot=\"3\"} 0"));
  EXPECT_THAT(text, HasSubstr("aulm_webhook_disagreements_total{account=\"shop\",field=\"delivery_id\"} 0"));
  EXPECT_THAT(text, HasSubstr("aulm_webhook_refused_total{reason=\"broken_framing\"} 0"));
}

TEST(WebhookMetricsTest, CountsRefusalsByReason) {
  prometheus::Registry registry;
  WebhookMetrics metrics(registry);
  metrics.CountRefusal(HttpRefusal::kBodyTooLarge);
  EXPECT_THAT(Text(registry), HasSubstr("aulm_webhook_refused_total{reason=\"body_too_large\"} 1"));
}

TEST(WebhookMetricsTest, AnswersAreObservedInSeconds) {
  prometheus::Registry registry;
  WebhookMetrics metrics(registry);
  metrics.ObserveAnswer(absl::Milliseconds(3));
  EXPECT_THAT(Text(registry), HasSubstr("aulm_webhook_seconds_bucket{le=\"0.005\"} 1"));
  EXPECT_THAT(Text(registry), HasSubstr("aulm_webhook_seconds_bucket{le=\"0.0025\"} 0"));
}

}  // namespace
}  // namespace aulm::gateway
