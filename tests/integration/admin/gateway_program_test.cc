// The program as its operator meets it: command line, settings, what it refuses, what it shows of itself, and secrets
// that change under it.
#include <signal.h>
#include <stdlib.h>

#include <boost/json/parse.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/child_process.h"
#include "tests/support/gateway_process.h"
#include "tests/support/raw_http_client.h"
#include "tests/support/webhook_client.h"
#include "tests/unit/admin/metrics_rules.h"

namespace aulm::gateway {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr absl::Duration kLimit = absl::Seconds(30);
constexpr char kSession[] = "11111111-2222-3333-4444-555555555555";

// What a program that ends by itself said.
struct Ended {
  int status = -1;
  std::string out;
  std::string err;
};

class GatewayProgramTest : public testing::Test {
 protected:
  GatewayProgramTest() : folder_(testing::TempDir() + "/program.XXXXXX") {
    if (mkdtemp(folder_.data()) == nullptr) abort();
  }
  ~GatewayProgramTest() override { std::filesystem::remove_all(folder_); }

  std::string Write(const std::string& name, const std::string& content) const {
    const std::string path = absl::StrCat(folder_, "/", name);
    std::ofstream(path, std::ios::binary | std::ios::trunc) << content;
    return path;
  }
  std::string ReadFile(const std::string& name) const {
    std::ifstream file(absl::StrCat(folder_, "/", name), std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(file), {});
  }

  Ended Run(std::vector<std::string> arguments, const std::map<std::string, std::string>& environment) {
    arguments.insert(arguments.begin(), BinaryPath("aulm-gateway"));
    Ended ended;
    auto child = ChildProcess::Start(arguments, environment, absl::StrCat(folder_, "/err"));
    EXPECT_TRUE(child.ok()) << child.status();
    if (!child.ok()) return ended;
    for (auto line = child->ReadLine(kLimit); line.ok(); line = child->ReadLine(kLimit)) {
      absl::StrAppend(&ended.out, *line, "\n");
    }
    const auto status = child->Wait(kLimit);
    EXPECT_TRUE(status.ok()) << status.status();
    ended.status = status.value_or(-1);
    ended.err = ReadFile("err");
    return ended;
  }

  GatewayProcess Start(const std::map<std::string, std::string>& environment) {
    GatewayProcess::Options options;
    options.folder = folder_;
    options.api_key = "alm_sk_test_canary";
    options.webhook_secret = "whsec_canary";
    options.environment = environment;
    auto gateway = GatewayProcess::Start(options);
    if (!gateway.ok()) {
      ADD_FAILURE() << gateway.status() << ReadFile("gateway.log");
      abort();
    }
    return *std::move(gateway);
  }

  static RawReply Get(const std::string& address, const std::string& target) {
    RawHttpClient client(address);
    client.Send(absl::StrCat("GET ", target, " HTTP/1.1\r\nhost: test\r\n\r\n"));
    return client.ReadReply();
  }

  static absl::StatusOr<int> Deliver(const GatewayProcess& gateway, const std::string& secret, const std::string& id) {
    return WebhookClient(gateway.webhook_address(), secret)
        .Post("inbound_message", id, InboundMessageBody(id, kSession, "+966512345678", "hello"));
  }

  std::string folder_;
};

TEST_F(GatewayProgramTest, RefusesBadSettingsWithALineEachAndStatus2) {
  const Ended ended = Run({"--config", Write("c.json", R"({"limits": {"streams": 0}})")},
                          {{"AULM_API_KEY", "canary"}, {"AULM_WEBHOOK_SECRET", "x"}});
  EXPECT_EQ(ended.status, 2);
  EXPECT_EQ(ended.out, "");
  EXPECT_EQ(
      ended.err,
      "AULM_API_KEY: begins with neither alm_sk_live_ nor alm_sk_test_: copy the whole key from aulm's dashboard\n"
      "limits.streams: 0 is not within 1 to 1000000: give a number in that range, or leave it out for 10000\n");
}

TEST_F(GatewayProgramTest, RefusesToStartWithNothing) {
  const Ended ended = Run({}, {});
  EXPECT_EQ(ended.status, 2);
  EXPECT_THAT(ended.err, HasSubstr("AULM_API_KEY: no account has a key: "));
}

TEST_F(GatewayProgramTest, PrintsTheSettingsInForceWithoutSecrets) {
  const Ended ended =
      Run({"--print-config"}, {{"AULM_API_KEY", "alm_sk_live_canary"}, {"AULM_WEBHOOK_SECRET", "canary"}});
  EXPECT_EQ(ended.status, 0);
  EXPECT_THAT(ended.out, HasSubstr("\"api_key\": \"(set)\""));
  EXPECT_THAT(ended.out, HasSubstr("\"address\": \"127.0.0.1:50051\""));
  EXPECT_THAT(ended.out, Not(HasSubstr("canary")));
}

TEST_F(GatewayProgramTest, PrintsItsVersionAndItsLibraries) {
  const Ended ended = Run({"--version"}, {});
  EXPECT_EQ(ended.status, 0);
  EXPECT_THAT(ended.out, testing::StartsWith("aulm-gateway "));
  EXPECT_THAT(ended.out, HasSubstr("  tracing "));
  for (const std::string library : {"gRPC", "protobuf", "abseil", "curl", "OpenSSL", "SQLite", "Boost", "spdlog"}) {
    EXPECT_THAT(ended.out, HasSubstr(absl::StrCat("  ", library, " ")));
  }
  EXPECT_THAT(ended.out, HasSubstr("  gRPC 1."));  // not its core's number
}

TEST_F(GatewayProgramTest, WarnsOfAVariableThatItDoesNotKnow) {
  GatewayProcess gateway = Start({{"GATEWAY_GRPC_LISTN", "127.0.0.1:1"}});
  gateway.process().Signal(SIGTERM);
  EXPECT_EQ(gateway.process().Wait(kLimit).value_or(-1), 0);
  EXPECT_THAT(
      ReadFile("gateway.log"),
      HasSubstr("GATEWAY_GRPC_LISTN: not a variable of the gateway, ignored: did you mean GATEWAY_GRPC_LISTEN?"));
}

TEST_F(GatewayProgramTest, IsReadyOnceItSaysWhereItListens) {
  const GatewayProcess gateway = Start({});
  EXPECT_EQ(Get(gateway.admin_address(), "/livez").status, 200);
  const RawReply ready = Get(gateway.admin_address(), "/readyz?verbose");
  EXPECT_EQ(ready.status, 200) << ready.body;
  EXPECT_THAT(ready.body, HasSubstr("[+] store\n"));
}

TEST_F(GatewayProgramTest, TellsWhetherItIsReadyByItsExitStatus) {
  const std::map<std::string, std::string> nobody = {
      {"AULM_API_KEY", "alm_sk_test_x"}, {"AULM_WEBHOOK_SECRET", "x"}, {"GATEWAY_ADMIN_LISTEN", "127.0.0.1:9"}};
  const Ended alone = Run({"--health"}, nobody);
  EXPECT_EQ(alone.status, 1);
  EXPECT_THAT(alone.out, HasSubstr("http://127.0.0.1:9/readyz cannot be asked: "));

  const GatewayProcess gateway = Start({});
  std::map<std::string, std::string> there = nobody;
  there["GATEWAY_ADMIN_LISTEN"] = gateway.admin_address();
  const Ended ready = Run({"--health"}, there);
  EXPECT_EQ(ready.status, 0);
  EXPECT_EQ(ready.out, "ready\n");

  // A file that is broken by now does not make the gateway unwell, which keeps what it has.
  there.erase("AULM_API_KEY");
  there["AULM_API_KEY_FILE"] = absl::StrCat(folder_, "/gone");
  EXPECT_EQ(Run({"--health"}, there).status, 0);
  EXPECT_EQ(Run({"--health", "--config", absl::StrCat(folder_, "/gone")}, there).status, 2);
}

TEST_F(GatewayProgramTest, WaitsAfterSigtermWhileOnlyHealthSaysNo) {
  const std::string config = Write("c.json", R"({"limits": {"drain_delay": "300s"}})");
  GatewayProcess gateway = Start({{"GATEWAY_CONFIG", config}});
  gateway.process().Signal(SIGTERM);
  RawReply health;
  do {
    health = Get(gateway.admin_address(), "/readyz");
  } while (health.status == 200);
  EXPECT_EQ(health.status, 503);
  EXPECT_EQ(health.body, "[-] gateway: draining\nnot ready\n");
  EXPECT_EQ(Get(gateway.admin_address(), "/livez").status, 200);
  EXPECT_EQ(Deliver(gateway, "whsec_canary", "00000000-0000-4000-8000-000000000001").value_or(0), 200);
  const Ended asked = Run({"--health"}, {{"AULM_API_KEY", "alm_sk_test_x"},
                                         {"AULM_WEBHOOK_SECRET", "x"},
                                         {"GATEWAY_ADMIN_LISTEN", gateway.admin_address()}});
  EXPECT_EQ(asked.status, 1);
  EXPECT_EQ(asked.out, "[-] gateway: draining; not ready (status 503)\n");

  gateway.process().Signal(SIGTERM);  // whoever does not want to wait
  EXPECT_EQ(gateway.process().Wait(kLimit).value_or(-1), 0);
}

TEST_F(GatewayProgramTest, ChecksItsSettingsWithoutStarting) {
  const std::map<std::string, std::string> account = {{"AULM_API_KEY", "alm_sk_test_x"}, {"AULM_WEBHOOK_SECRET", "x"}};
  EXPECT_EQ(Run({"--check-config", "--config", Write("good.json", R"({"limits": {"streams": 5}})")}, account).status,
            0);
  const Ended bad = Run({"--check-config", "--config", Write("bad.json", R"({"limits": {"straems": 5}})")}, account);
  EXPECT_EQ(bad.status, 2);
  EXPECT_THAT(bad.err, HasSubstr("limits.straems: "));
  std::map<std::string, std::string> slip = account;
  slip["GATEWAY_GRPC_LISTN"] = "127.0.0.1:1";
  const Ended warned = Run({"--check-config"}, slip);
  EXPECT_EQ(warned.status, 0);
  EXPECT_THAT(warned.err, HasSubstr("GATEWAY_GRPC_LISTN: not a variable of the gateway"));
}

TEST_F(GatewayProgramTest, NamesTheSettingOfAnAddressThatIsInUse) {
  const GatewayProcess first = Start({});
  const std::map<std::string, std::string> addresses = {{"GATEWAY_GRPC_LISTEN", first.grpc_address()},
                                                        {"GATEWAY_WEBHOOK_LISTEN", first.webhook_address()},
                                                        {"GATEWAY_ADMIN_LISTEN", first.admin_address()}};
  for (const auto& [setting, address] : addresses) {
    std::map<std::string, std::string> environment = {{"AULM_API_KEY", "alm_sk_test_canary"},
                                                      {"AULM_WEBHOOK_SECRET", "whsec_canary"},
                                                      {"GATEWAY_STORE", absl::StrCat("sqlite://", folder_, "/other")},
                                                      {"GATEWAY_GRPC_LISTEN", "127.0.0.1:0"},
                                                      {"GATEWAY_WEBHOOK_LISTEN", "127.0.0.1:0"},
                                                      {"GATEWAY_ADMIN_LISTEN", "127.0.0.1:0"}};
    environment[setting] = address;
    const Ended second = Run({}, environment);
    EXPECT_EQ(second.status, 1);
    EXPECT_THAT(second.err, HasSubstr(absl::StrCat(" on ", address)));
    EXPECT_THAT(second.err, HasSubstr(absl::StrCat("Set ", setting, " to ")));
  }
}

// The line of the log about a new store; empty when there is none.
std::string StoreCreated(const std::string& log) {
  for (const absl::string_view line : absl::StrSplit(log, '\n')) {
    if (absl::StrContains(line, "\"event\":\"store_created\"")) return std::string(line);
  }
  return "";
}

TEST_F(GatewayProgramTest, SaysWhenItsStoreIsNewAndWhatThatMeans) {
  const auto log_of_a_run = [this] {
    std::filesystem::remove(absl::StrCat(folder_, "/gateway.log"));
    GatewayProcess gateway = Start({{"GATEWAY_STORE", absl::StrCat("sqlite://", folder_, "/s")}});
    gateway.process().Signal(SIGTERM);
    EXPECT_EQ(gateway.process().Wait(kLimit).value_or(-1), 0);
    return ReadFile("gateway.log");
  };
  const std::string first = StoreCreated(log_of_a_run());
  EXPECT_THAT(first, HasSubstr("\"level\":\"info\""));
  EXPECT_THAT(first, HasSubstr(absl::StrCat("\"file\":\"", folder_, "/s/gateway.db\"")));
  EXPECT_EQ(StoreCreated(log_of_a_run()), "");

  std::filesystem::remove(absl::StrCat(folder_, "/s/gateway.db-wal"));
  std::filesystem::resize_file(absl::StrCat(folder_, "/s/gateway.db"), 0);
  const std::string emptied = StoreCreated(log_of_a_run());
  EXPECT_THAT(emptied, HasSubstr("\"level\":\"warn\""));
  EXPECT_THAT(emptied, HasSubstr("gateway.db was there with 0 bytes"));

  std::filesystem::remove(absl::StrCat(folder_, "/s/gateway.db"));
  EXPECT_THAT(StoreCreated(log_of_a_run()), HasSubstr("a gateway has used this folder before"));
}

// gRPC's complaints of its own are lines of our log, too.
TEST_F(GatewayProgramTest, WritesNothingButJsonOnceItsSettingsAreRead) {
  const GatewayProcess first = Start({});
  const Ended second = Run({}, {{"AULM_API_KEY", "alm_sk_test_canary"},
                                {"AULM_WEBHOOK_SECRET", "whsec_canary"},
                                {"GATEWAY_STORE", absl::StrCat("sqlite://", folder_, "/other")},
                                {"GATEWAY_GRPC_LISTEN", first.grpc_address()},
                                {"GATEWAY_WEBHOOK_LISTEN", "127.0.0.1:0"},
                                {"GATEWAY_ADMIN_LISTEN", "127.0.0.1:0"}});
  EXPECT_THAT(second.err, HasSubstr("\"event\":\"library\",\"library\":\"grpc\""));
  EXPECT_THAT(second.err, HasSubstr("\"event\":\"cannot_start\""));
  for (const absl::string_view line : absl::StrSplit(second.err, '\n', absl::SkipEmpty())) {
    boost::system::error_code error;
    boost::json::parse({line.data(), line.size()}, error);
    EXPECT_FALSE(error) << line;
  }
}

TEST_F(GatewayProgramTest, ServesThePageAndItsOverview) {
  const GatewayProcess gateway = Start({});
  RawHttpClient client(gateway.admin_address());
  client.Send("GET / HTTP/1.1\r\nhost: localhost\r\n\r\n");
  const RawReply page = client.ReadReply();
  EXPECT_EQ(page.status, 200);
  EXPECT_THAT(page.Header("content-security-policy"), testing::StartsWith("default-src 'none'; "));
  EXPECT_THAT(page.body, HasSubstr("<h1>aulm-gateway</h1>"));
  client.Send("GET /live HTTP/1.1\r\nhost: localhost\r\n\r\n");
  EXPECT_EQ(client.ReadReply(/*head_only=*/true).Header("content-type"), "text/event-stream");
  EXPECT_EQ(client.ReadExactly(41), "retry: 2000\n\nevent: overview\ndata: {\"at\":");
  EXPECT_EQ(Get(gateway.admin_address(), "/").status, 403) << "asked by the name \"test\"";
}

TEST_F(GatewayProgramTest, ItsMetricsBreakNoRuleAndShowNothingSecret) {
  const GatewayProcess gateway = Start({});
  ASSERT_EQ(Deliver(gateway, "whsec_canary", "00000000-0000-4000-8000-000000000001").value_or(0), 200);
  ASSERT_EQ(Deliver(gateway, "wrong", "00000000-0000-4000-8000-000000000002").value_or(0), 401);
  const RawReply page = Get(gateway.admin_address(), "/metrics");
  EXPECT_EQ(page.status, 200);
  EXPECT_THAT(FindBrokenMetricRules(page.body), IsEmpty());
  for (const std::string hidden : {"canary", "66512345678", "hello"}) {
    EXPECT_FALSE(absl::StrContains(page.body, hidden)) << hidden;
    EXPECT_FALSE(absl::StrContains(ReadFile("gateway.log"), hidden)) << hidden;
  }
  EXPECT_FALSE(absl::StrContains(page.body, kSession));
  for (const std::string family :
       {"aulm_gateway_build_info", "aulm_webhooks_total", "aulm_store_errors_total", "grpc_server_started_total",
        "grpc_server_handled_total", "process_resident_memory_bytes", "aulm_gateway_secret_files_broken"}) {
    EXPECT_TRUE(absl::StrContains(page.body, absl::StrCat("\n# HELP ", family, " "))) << family;
  }
}

TEST_F(GatewayProgramTest, TakesAChangedWebhookSecretWithin10Seconds) {
  const std::string file = Write("secrets", "old-secret\n");
  const GatewayProcess gateway = Start({{"AULM_WEBHOOK_SECRET", ""}, {"AULM_WEBHOOK_SECRET_FILE", file}});
  ASSERT_EQ(Deliver(gateway, "old-secret", "00000000-0000-4000-8000-000000000001").value_or(0), 200);
  ASSERT_EQ(Deliver(gateway, "new-secret", "00000000-0000-4000-8000-000000000002").value_or(0), 401);

  // As Kubernetes does it: a new file takes the old one's place.
  std::filesystem::rename(Write("secrets.tmp", "new-secret\n"), file);
  const absl::Time limit = absl::Now() + absl::Seconds(10);
  int status = 0;
  while (status != 200 && absl::Now() < limit) {
    status = Deliver(gateway, "new-secret", "00000000-0000-4000-8000-000000000002").value_or(0);
    std::this_thread::yield();
  }
  EXPECT_EQ(status, 200);
  EXPECT_EQ(Deliver(gateway, "old-secret", "00000000-0000-4000-8000-000000000003").value_or(0), 401);
}

}  // namespace
}  // namespace aulm::gateway
