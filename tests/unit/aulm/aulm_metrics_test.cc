// The series that operators see of the calls to aulm.
#include "service/aulm/aulm_metrics.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "absl/strings/str_cat.h"

namespace aulm::gateway {
namespace {

// name{label values} → value; histograms by their count.
std::map<std::string, double> Series(prometheus::Registry& registry) {
  std::map<std::string, double> series;
  for (const auto& family : registry.Collect()) {
    for (const auto& metric : family.metric) {
      std::string key = family.name;
      for (const auto& label : metric.label) absl::StrAppend(&key, " ", label.value);
      series[key] = metric.counter.value + metric.gauge.value + static_cast<double>(metric.histogram.sample_count);
    }
  }
  return series;
}

class AulmMetricsTest : public testing::Test {
 protected:
  prometheus::Registry registry_;
  AulmMetrics metrics_{registry_};
};

TEST_F(AulmMetricsTest, ACallIsInFlightThenCountedByReason) {
  metrics_.CallStarted(AulmEndpoint::kSendText);
  EXPECT_EQ(Series(registry_)["aulm_api_calls_in_flight send_text"], 1);
  metrics_.CallDone(AulmEndpoint::kSendText, "OK", absl::Milliseconds(20));
  metrics_.CallStarted(AulmEndpoint::kSendText);
  metrics_.CallDone(AulmEndpoint::kSendText, "SESSION_NOT_READY", absl::Milliseconds(20));
  auto series = Series(registry_);
  EXPECT_EQ(series["aulm_api_calls_in_flight send_text"], 0);
  EXPECT_EQ(series["aulm_api_calls_total send_text OK"], 1);
  EXPECT_EQ(series["aulm_api_calls_total send_text SESSION_NOT_READY"], 1);
  EXPECT_EQ(series["aulm_api_call_seconds send_text"], 2);
  EXPECT_EQ(series["aulm_api_call_seconds session_status"], 0);
}

TEST_F(AulmMetricsTest, EveryEndpointIsThereFromTheStart) {
  const auto series = Series(registry_);
  for (const char* endpoint : {"send_text", "send_image", "session_status"}) {
    EXPECT_EQ(series.count(absl::StrCat("aulm_api_calls_total ", endpoint, " OK")), 1u) << endpoint;
  }
}

TEST_F(AulmMetricsTest, ARefusedCallTakesNoTime) {
  metrics_.CallRefused(AulmEndpoint::kSendImage, "ACCOUNT_SUSPENDED");
  auto series = Series(registry_);
  EXPECT_EQ(series["aulm_api_calls_total send_image ACCOUNT_SUSPENDED"], 1);
  EXPECT_EQ(series["aulm_api_call_seconds send_image"], 0);
  EXPECT_EQ(series["aulm_api_calls_in_flight send_image"], 0);
}

TEST_F(AulmMetricsTest, AnybodysCodesMakeABoundedNumberOfSeries) {
  for (int i = 0; i < 500; ++i) metrics_.CallRefused(AulmEndpoint::kSendText, absl::StrCat("NEW_", i));
  auto series = Series(registry_);
  EXPECT_EQ(series["aulm_api_calls_total send_text NEW_0"], 1);
  EXPECT_EQ(series["aulm_api_calls_total send_text OTHER"], 500 - 64);
  EXPECT_LT(series.size(), 100u);
}

TEST_F(AulmMetricsTest, ConnectionsAndDetachedSendsAreCounted) {
  metrics_.ConnectionOpened();
  metrics_.ConnectionOpened();
  metrics_.ConnectionClosed();
  metrics_.CallDetached();
  auto series = Series(registry_);
  EXPECT_EQ(series["aulm_api_connections"], 1);
  EXPECT_EQ(series["aulm_api_connections_opened_total"], 2);
  EXPECT_EQ(series["aulm_api_calls_detached_total"], 1);
}

}  // namespace
}  // namespace aulm::gateway
