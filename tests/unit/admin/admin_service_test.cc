#include "service/admin/admin_service.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "prometheus/counter.h"
#include "prometheus/histogram.h"
#include "prometheus/registry.h"
#include "service/admin/build_info.h"
#include "service/admin/process_metrics.h"
#include "tests/unit/admin/metrics_rules.h"

namespace aulm::gateway {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

class KeptReply final : public ReplyTarget {
 public:
  void Deliver(uint64_t, ServedReply reply) override { reply_ = std::move(reply); }
  ServedReply Take() { return std::move(reply_).value_or(ServedReply{.status = 0}); }

 private:
  std::optional<ServedReply> reply_;
};

class AdminServiceTest : public testing::Test {
 protected:
  ServedReply Ask(absl::string_view method, absl::string_view path, absl::string_view query = "") {
    auto kept = std::make_shared<KeptReply>();
    ServedRequest request{};
    request.method = method;
    request.path = path;
    request.query = query;
    service_.Handle(request, Reply(kept, 1));
    return kept->Take();
  }

  Readiness readiness_;
  prometheus::Registry registry_;
  ProcessMetrics process_;
  AdminService service_{readiness_, {&registry_, &process_}};
};

TEST_F(AdminServiceTest, IsLiveEvenWhenNothingIsReady) {
  readiness_.SetNotReady("store", "the disk is full");
  const ServedReply reply = Ask("GET", "/livez");
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.body, "live\n");
}

TEST_F(AdminServiceTest, IsNotReadyBeforeAnyoneHasSpoken) {
  const ServedReply reply = Ask("GET", "/readyz");
  EXPECT_EQ(reply.status, 503);
  EXPECT_EQ(reply.body, "not ready\n");
}

TEST_F(AdminServiceTest, IsReadyWhenEveryCheckIs) {
  readiness_.SetReady("starting");
  readiness_.SetReady("store");
  const ServedReply reply = Ask("GET", "/readyz");
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.body, "ready\n");
}

TEST_F(AdminServiceTest, SaysWhatIsNotReady) {
  readiness_.SetReady("starting");
  readiness_.SetNotReady("draining", "told to stop");
  readiness_.SetNotReady("store", "the disk is full");
  const ServedReply reply = Ask("GET", "/readyz");
  EXPECT_EQ(reply.status, 503);
  EXPECT_EQ(reply.body, "[-] draining: told to stop\n[-] store: the disk is full\nnot ready\n");
}

TEST_F(AdminServiceTest, ListsEveryCheckWhenAsked) {
  readiness_.SetReady("starting");
  readiness_.SetNotReady("store", "the disk is full");
  for (const absl::string_view query : {"verbose", "verbose=1", "a=b&verbose"}) {
    const ServedReply reply = Ask("GET", "/readyz", query);
    EXPECT_EQ(reply.status, 503);
    EXPECT_EQ(reply.body, "[+] starting\n[-] store: the disk is full\nnot ready\n") << query;
  }
  EXPECT_EQ(Ask("GET", "/readyz", "nonverbose").body, "[-] store: the disk is full\nnot ready\n");
}

TEST_F(AdminServiceTest, ShowsMetricsInPrometheusTextFormat) {
  prometheus::BuildCounter().Name("aulm_x_total").Help("X.").Register(registry_).Add({{"a", "b"}}).Increment(3);
  const ServedReply reply = Ask("GET", "/metrics");
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.content_type, "text/plain; version=0.0.4; charset=utf-8");
  EXPECT_THAT(reply.body, HasSubstr("# HELP aulm_x_total X.\n# TYPE aulm_x_total counter\naulm_x_total{a=\"b\"} 3\n"));
  EXPECT_THAT(reply.body, HasSubstr("\nprocess_cpu_seconds_total "));
}

TEST_F(AdminServiceTest, TheMetricsPageBreaksNoRule) {
  RegisterBuildInfo(GetBuildInfo(), registry_);
  prometheus::BuildHistogram()
      .Name("aulm_x_seconds")
      .Help("X.")
      .Register(registry_)
      .Add({{"a", "quote \" backslash \\ newline \n"}}, prometheus::Histogram::BucketBoundaries{0.1, 1})
      .Observe(0.5);
  EXPECT_THAT(FindBrokenMetricRules(Ask("GET", "/metrics").body), IsEmpty());
}

TEST_F(AdminServiceTest, TheIndexNamesEveryPage) {
  const ServedReply reply = Ask("GET", "/");
  EXPECT_EQ(reply.status, 200);
  for (const std::string path : {"/livez", "/readyz", "/metrics"}) {
    EXPECT_THAT(reply.body, HasSubstr(path));
    EXPECT_NE(Ask("GET", path).status, 404) << path;
  }
}

TEST_F(AdminServiceTest, AnswersHeadAsGet) {
  for (const std::string path : {"/", "/livez", "/readyz", "/metrics"}) {
    EXPECT_EQ(Ask("HEAD", path).status, Ask("GET", path).status) << path;
  }
}

TEST_F(AdminServiceTest, RefusesEveryOtherMethod) {
  for (const std::string method : {"POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "get", "QUERY"}) {
    const ServedReply reply = Ask(method, "/metrics");
    EXPECT_EQ(reply.status, 405) << method;
    EXPECT_THAT(reply.headers, Contains(Pair("allow", "GET, HEAD")));
  }
}

TEST_F(AdminServiceTest, KnowsNoOtherPath) {
  for (const std::string path : {"/x", "/livez/", "//", "/LIVEZ", "*", "/livez%00", "/../livez", "/webhooks/aulm"}) {
    EXPECT_EQ(Ask("GET", path).status, 404) << path;
  }
}

TEST_F(AdminServiceTest, NothingIsKeptByCaches) {
  for (const std::string path : {"/", "/livez", "/readyz", "/metrics", "/none"}) {
    EXPECT_THAT(Ask("GET", path).headers, Contains(Pair("cache-control", "no-store"))) << path;
  }
}

}  // namespace
}  // namespace aulm::gateway
