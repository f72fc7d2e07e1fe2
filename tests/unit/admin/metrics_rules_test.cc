#include "tests/unit/admin/metrics_rules.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace aulm::gateway {
namespace {

using testing::Contains;
using testing::IsEmpty;

constexpr char kGood[] =
    "# HELP aulm_sends_total Sends.\n# TYPE aulm_sends_total counter\n"
    "aulm_sends_total{account=\"default\",code=\"a,b=\\\"c\\\"\"} 1\naulm_sends_total{account=\"other\"} 0\n"
    "# HELP aulm_lag_seconds Lag.\n# TYPE aulm_lag_seconds gauge\naulm_lag_seconds -1.5e-3\n"
    "# HELP aulm_commit_seconds Commits.\n# TYPE aulm_commit_seconds histogram\n"
    "aulm_commit_seconds_count 3\naulm_commit_seconds_sum 0.25\naulm_commit_seconds_bucket{le=\"0.1\"} 1\n"
    "aulm_commit_seconds_bucket{le=\"1\"} 3\naulm_commit_seconds_bucket{le=\"+Inf\"} 3\n";

std::string Gauge(const std::string& sample, const std::string& name = "aulm_x", const std::string& type = "gauge",
                  const std::string& help = "X.") {
  return "# HELP " + name + " " + help + "\n# TYPE " + name + " " + type + "\n" + sample + "\n";
}

TEST(MetricsRulesTest, AGoodPageBreaksNone) { EXPECT_THAT(FindBrokenMetricRules(kGood), IsEmpty()); }

TEST(MetricsRulesTest, EachRuleIsFoundBroken) {
  const std::pair<std::string, std::string> cases[] = {
      {"name: requests", Gauge("requests 1", "requests")},
      {"name: aulm_Requests", Gauge("aulm_Requests 1", "aulm_Requests")},
      {"help: aulm_x", Gauge("aulm_x 1", "aulm_x", "gauge", "no sentence")},
      {"help: aulm_x", "# TYPE aulm_x gauge\naulm_x 1\n"},
      {"type: aulm_x", "# HELP aulm_x X.\naulm_x 1\n"},
      {"type: aulm_x", Gauge("aulm_x 1", "aulm_x", "untyped")},
      {"type: aulm_y", Gauge("aulm_y 1")},
      {"once: aulm_x", Gauge("aulm_x 1\naulm_x 1")},
      {"once: aulm_x", Gauge("aulm_x 1") + Gauge("aulm_x{a=\"b\"} 1")},
      {"counter: aulm_x", Gauge("aulm_x 1", "aulm_x", "counter")},
      {"counter: aulm_x_total", Gauge("aulm_x_total 1", "aulm_x_total")},
      {"counter: aulm_x_total", Gauge("aulm_x_total -1", "aulm_x_total", "counter")},
      {"unit: aulm_x_ms", Gauge("aulm_x_ms 1", "aulm_x_ms")},
      {"unit: aulm_x_mb_total", Gauge("aulm_x_mb_total 1", "aulm_x_mb_total", "counter")},
      {"label: aulm_x", Gauge("aulm_x{Account=\"a\"} 1")},
      {"label: aulm_x", Gauge("aulm_x{message_id=\"a\"} 1")},
      {"label: aulm_x", Gauge("aulm_x{who=\"+966512345678\"} 1")},
      {"label: aulm_x", Gauge("aulm_x{who=a} 1")},
      {"value: aulm_x", Gauge("aulm_x NaN")},
      {"sample: nonsense", Gauge("nonsense")},
      {"histogram: aulm_x{}", Gauge("aulm_x_count 1\naulm_x_bucket{le=\"+Inf\"} 1", "aulm_x", "histogram")},
      {"histogram: aulm_x{}", Gauge("aulm_x_sum 1\naulm_x_bucket{le=\"+Inf\"} 1", "aulm_x", "histogram")},
      {"histogram: aulm_x{}",
       Gauge("aulm_x_count 2\naulm_x_sum 1\naulm_x_bucket{le=\"+Inf\"} 1", "aulm_x", "histogram")},
      {"histogram: aulm_x{}",
       Gauge("aulm_x_count 1\naulm_x_sum 1\naulm_x_bucket{le=\"1\"} 1\naulm_x_bucket{le=\"1\"} 1", "aulm_x",
             "histogram")},
      {"end: the page", "# HELP aulm_x X.\n# TYPE aulm_x gauge\naulm_x 1"},
  };
  for (const auto& [broken, page] : cases) {
    EXPECT_THAT(FindBrokenMetricRules(page), Contains(broken)) << page;
  }
}

TEST(MetricsRulesTest, TooManySeriesAreFound) {
  std::string samples;
  for (int i = 0; i <= 2000; ++i) samples += "aulm_x{i=\"" + std::to_string(i) + "\"} 1\n";
  samples.pop_back();
  EXPECT_THAT(FindBrokenMetricRules(Gauge(samples)), Contains("series: 2001"));
}

}  // namespace
}  // namespace aulm::gateway
