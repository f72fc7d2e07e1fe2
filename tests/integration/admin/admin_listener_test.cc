#include <curl/curl.h>

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "prometheus/registry.h"
#include "service/admin/admin_service.h"
#include "service/admin/process_metrics.h"
#include "service/http/http_server.h"
#include "tests/unit/admin/metrics_rules.h"

namespace aulm::gateway {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

struct Answer {
  long status = 0;  // curl's type
  std::string header;
  std::string body;
};

size_t Append(char* data, size_t size, size_t count, void* text) {
  static_cast<std::string*>(text)->append(data, size * count);
  return size * count;
}

// The admin service behind the server that it runs on, asked over a socket.
class AdminListenerTest : public testing::Test {
 protected:
  void SetUp() override {
    HttpServerOptions options;
    options.name = "admin";
    options.address = "127.0.0.1:0";
    auto server = HttpServer::Start(options, &service_);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }

  Answer Ask(const std::string& method, const std::string& target) {
    Answer answer;
    const std::unique_ptr<CURL, void (*)(CURL*)> curl(curl_easy_init(), curl_easy_cleanup);
    curl_easy_setopt(curl.get(), CURLOPT_URL, absl::StrCat("http://", server_->address(), target).c_str());
    curl_easy_setopt(curl.get(), CURLOPT_CUSTOMREQUEST, method.c_str());
    if (method == "HEAD") curl_easy_setopt(curl.get(), CURLOPT_NOBODY, 1L);
    curl_easy_setopt(curl.get(), CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(curl.get(), CURLOPT_TIMEOUT, 30L);
    curl_easy_setopt(curl.get(), CURLOPT_HEADERFUNCTION, Append);
    curl_easy_setopt(curl.get(), CURLOPT_HEADERDATA, &answer.header);
    curl_easy_setopt(curl.get(), CURLOPT_WRITEFUNCTION, Append);
    curl_easy_setopt(curl.get(), CURLOPT_WRITEDATA, &answer.body);
    const CURLcode code = curl_easy_perform(curl.get());
    EXPECT_EQ(code, CURLE_OK) << curl_easy_strerror(code);
    curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &answer.status);
    return answer;
  }

  Readiness readiness_;
  prometheus::Registry registry_;
  ProcessMetrics process_;
  AdminService service_{readiness_, {&registry_, &process_}};
  std::unique_ptr<HttpServer> server_;
};

TEST_F(AdminListenerTest, TurnsReadyAndBack) {
  EXPECT_EQ(Ask("GET", "/readyz").status, 503);
  readiness_.SetReady("store");
  EXPECT_EQ(Ask("GET", "/readyz").status, 200);
  readiness_.SetNotReady("store", "the disk is full");
  const Answer answer = Ask("GET", "/readyz?verbose");
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.body, "[-] store: the disk is full\nnot ready\n");
  EXPECT_EQ(Ask("GET", "/livez").status, 200);
}

TEST_F(AdminListenerTest, ServesMetricsWithTheirContentType) {
  const Answer answer = Ask("GET", "/metrics");
  EXPECT_EQ(answer.status, 200);
  EXPECT_THAT(answer.header, HasSubstr("\r\ncontent-type: text/plain; version=0.0.4; charset=utf-8\r\n"));
  EXPECT_THAT(answer.body, HasSubstr("\nprocess_open_fds "));
  EXPECT_THAT(FindBrokenMetricRules(answer.body), IsEmpty());
}

TEST_F(AdminListenerTest, AnswersHeadWithoutABody) {
  const Answer answer = Ask("HEAD", "/livez");
  EXPECT_EQ(answer.status, 200);
  EXPECT_THAT(answer.header, HasSubstr("content-length: 5\r\n"));
  EXPECT_THAT(answer.body, IsEmpty());
}

TEST_F(AdminListenerTest, RefusesToBeWrittenTo) {
  const Answer answer = Ask("POST", "/livez");
  EXPECT_EQ(answer.status, 405);
  EXPECT_THAT(answer.header, HasSubstr("allow: GET, HEAD\r\n"));
}

TEST_F(AdminListenerTest, NoPageTakesAnyMethodThatCouldChangeSomething) {
  for (const std::string page : {"/", "/livez", "/readyz", "/metrics"}) {
    for (const std::string method : {"POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "get"}) {
      EXPECT_EQ(Ask(method, page).status, 405) << method << " " << page;
    }
  }
}

TEST_F(AdminListenerTest, KnowsNoOtherPage) {
  EXPECT_EQ(Ask("GET", "/etc/passwd").status, 404);
  EXPECT_EQ(Ask("GET", "/../livez").status, 404);
  EXPECT_EQ(Ask("GET", "/").status, 200);
}

}  // namespace
}  // namespace aulm::gateway
