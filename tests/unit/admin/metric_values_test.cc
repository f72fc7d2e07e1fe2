#include "service/admin/metric_values.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "prometheus/counter.h"
#include "prometheus/histogram.h"
#include "prometheus/registry.h"

namespace aulm::gateway {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

TEST(MetricValuesTest, SumsSeriesByLabel) {
  prometheus::Registry registry;
  auto& family = prometheus::BuildCounter().Name("calls_total").Help("Calls.").Register(registry);
  family.Add({{"code", "OK"}, {"method", "a"}}).Increment(2);
  family.Add({{"code", "OK"}, {"method", "b"}}).Increment(3);
  family.Add({{"code", "UNKNOWN"}, {"method", "a"}}).Increment(4);
  const MetricValues values({&registry});
  EXPECT_EQ(values.Sum("calls_total"), 9);
  EXPECT_EQ(values.Sum("calls_total", "code", "OK"), 5);
  EXPECT_THAT(values.Series("calls_total"), SizeIs(3));
  EXPECT_EQ(LabelOf(values.Series("calls_total").front(), "none"), "");
}

TEST(MetricValuesTest, CountsAndAddsUpWhatAHistogramObserved) {
  prometheus::Registry registry;
  auto& histogram = prometheus::BuildHistogram()
                        .Name("x_seconds")
                        .Help("X.")
                        .Register(registry)
                        .Add({}, prometheus::Histogram::BucketBoundaries{1});
  histogram.Observe(0.5);
  histogram.Observe(2);
  const MetricValues values({&registry});
  EXPECT_EQ(values.Sum("x_seconds"), 2);
  EXPECT_EQ(values.Observed("x_seconds"), 2.5);
}

TEST(MetricValuesTest, AFamilyThatIsNotThereIsNothing) {
  const MetricValues values({});
  EXPECT_EQ(values.Sum("none"), 0);
  EXPECT_EQ(values.Observed("none"), 0);
  EXPECT_THAT(values.Series("none"), IsEmpty());
}

}  // namespace
}  // namespace aulm::gateway
