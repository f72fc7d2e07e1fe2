// Hundreds of malformed requests over a real socket to the webhook listener: each gets its verdict, none is taken that
// a proxy in front of us could read in another way, and a good request afterwards is served. What nginx says to the
// same requests, tools/http_differential shows.
#include "tests/integration/webhook/http_corpus.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_join.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "prometheus/registry.h"
#include "service/http/http_server.h"
#include "service/webhook/webhook_service.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_event_log.h"
#include "tests/support/raw_http_client.h"

namespace aulm::gateway {
namespace {

class HttpCorpusTest : public testing::Test {
 protected:
  void SetUp() override {
    HttpServerOptions options;
    options.name = "webhook";
    options.address = "127.0.0.1:0";
    auto started = HttpServer::Start(std::move(options), &service_);
    ASSERT_TRUE(started.ok()) << started.status();
    server_ = *std::move(started);
  }

  // The statuses of the answers up to the connection's end. The answer to HEAD counts as one without a body.
  std::string Answers(const std::string& bytes) const {
    RawHttpClient client(server_->address());
    client.Send(bytes);
    client.EndSending();
    std::vector<int> statuses;
    while (true) {
      const bool head = statuses.empty() && bytes.rfind("HEAD ", 0) == 0;
      const RawReply reply = client.ReadReply(head);
      if (reply.status == 0) break;
      statuses.push_back(reply.status);
    }
    EXPECT_TRUE(client.ReadsEnd()) << "half an answer";
    return statuses.empty() ? "-" : absl::StrJoin(statuses, " ");
  }

  size_t Stored() const { return log_.stored().size(); }

  const std::string good_ = ExpandCorpusText("{P}{H}{S}{B}");
  FakeClock clock_;
  FakeEventLog log_;
  prometheus::Registry registry_;
  WebhookMetrics metrics_{registry_};
  WebhookService service_{
      {},
      {{"default", std::make_shared<WebhookSecrets>(std::vector<absl::string_view>{kHttpCorpusSecret}),
        WrongSignatureAnswer::kReject}},
      clock_,
      log_,
      metrics_};
  std::unique_ptr<HttpServer> server_;
};

TEST_F(HttpCorpusTest, EveryRequestGetsItsVerdictAndAGoodOneAfterwardsIsServed) {
  const std::vector<HttpCorpusRow> rows = ReadHttpCorpus(HTTP_CORPUS);
  size_t malformed = 0;
  for (const HttpCorpusRow& row : rows) {
    if (row.verdict.rfind("200", 0) != 0) ++malformed;
    const size_t before = Stored();
    EXPECT_EQ(Answers(row.bytes), row.verdict) << row.name;
    size_t taken = 0;
    for (const absl::string_view status : absl::StrSplit(row.verdict, ' ')) taken += status == "200" ? 1 : 0;
    EXPECT_EQ(Stored() - before, taken) << row.name;
    ASSERT_EQ(Answers(good_), "200") << "after " << row.name;
  }
  EXPECT_GE(malformed, 300u);
}

TEST_F(HttpCorpusTest, RequestCutOffAnywhereIsNotTaken) {
  for (const char* whole :
       {"{P}{H}{S}{B}", "\\r\\n{P}{H}{S}Expect: 100-continue\\r\\n{B}",
        "{P}{H}{S}Transfer-Encoding: chunked\\r\\n\\r\\n1;a=b\\r\\nh\\r\\n1\\r\\ni\\r\\n0\\r\\nX: y\\r\\n\\r\\n"}) {
    const std::string bytes = ExpandCorpusText(whole);
    for (size_t size = 0; size < bytes.size(); ++size) {
      EXPECT_THAT(Answers(bytes.substr(0, size)), testing::AnyOf("-", "100")) << whole << ", the first " << size;
    }
    EXPECT_EQ(Stored(), 0u);
  }
  EXPECT_EQ(Answers(good_), "200");
}

}  // namespace
}  // namespace aulm::gateway
