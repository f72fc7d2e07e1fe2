// What a proxied SendText costs, beside its floors in the same run on the same cores:
//   bare echo   a gRPC callback server that answers from memory
//   bare proxy  callback server → one curl thread → the fixed upstream, and nothing else
//   gateway     the product, with every check, log and metric
//   the peers   the same gateway as a team would write it in an afternoon, in Go and in Node, where ./dev bench built
//   them
// then the latency that it adds, what request ids and pacing cost, and how soon refusals come back. Throughput without
// ids is h2load's; the rest comes over nghttp2 too (grpc_load.h). CPU is the server process's own, user and system.
// What is compared takes turns, and medians are shown.
//
// Usage: send_bench [quick] [throughput] [latency] [ids] [refusals]; without a part, all. Needs h2load (Debian:
// nghttp2-client) and its neighbours in the folder of the built programs. Its stores are folders below TMPDIR, else the
// working directory's.
#include <grpcpp/grpcpp.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <set>
#include <string>
#include <system_error>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "aulm/gateway/v1/messaging_service.grpc.pb.h"
#include "tests/bench/peers/peers.h"
#include "tests/bench/support/bench_report.h"
#include "tests/bench/support/grpc_load.h"
#include "tests/bench/support/server_process.h"
#include "tests/support/gateway_process.h"

namespace aulm::gateway {
namespace {

constexpr int kRounds = 3;
constexpr char kPath[] = "/aulm.gateway.v1.MessagingService/SendText";

v1::SendTextRequest Request() {
  v1::SendTextRequest request;
  request.set_session_id("11111111-1111-4111-8111-111111111111");
  request.set_to("+966512345678");
  request.set_body("Your order 4711 has left the warehouse and will be with you tomorrow.");
  return request;
}

// The folders that there are now, removed at the exit: what fails leaves by it, and no destructor runs.
std::set<std::string>& Folders() {
  static std::set<std::string>* const folders = [] {
    std::atexit([] {
      std::error_code ignored;
      for (const std::string& path : Folders()) std::filesystem::remove_all(path, ignored);
    });
    return new std::set<std::string>;
  }();
  return *folders;
}

[[noreturn]] void Fail(const std::string& what) {
  std::fprintf(stderr, "send_bench: %s\n", what.c_str());
  std::exit(1);
}

// A folder that goes with this.
class Folder {
 public:
  Folder() {
    const char* const parent = getenv("TMPDIR");
    path_ = absl::StrCat(parent == nullptr ? "." : parent, "/send_bench_XXXXXX");
    if (mkdtemp(path_.data()) == nullptr) Fail("no folder for the store");
    Folders().insert(path_);
  }
  ~Folder() {
    std::filesystem::remove_all(path_);
    Folders().erase(path_);
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// The gateway on a store of its own, with settings in the form of its file.
class Gateway {
 public:
  Gateway(const std::string& upstream, const std::string& settings, bool live = false) {
    GatewayProcess::Options options;
    options.folder = folder_.path();
    options.aulm_base_url = absl::StrCat("http://", upstream);
    options.api_key = live ? "alm_sk_live_bench" : "alm_sk_test_bench";
    if (!settings.empty()) {
      const std::string file = absl::StrCat(folder_.path(), "/gateway.json");
      std::ofstream(file) << settings;
      options.environment["GATEWAY_CONFIG"] = file;
    }
    auto started = GatewayProcess::Start(options);
    if (!started.ok()) Fail(started.status().ToString());
    process_ = std::make_unique<GatewayProcess>(*std::move(started));
  }

  const std::string& address() const { return process_->grpc_address(); }
  pid_t pid() const { return process_->process().pid(); }

 private:
  Folder folder_;
  std::unique_ptr<GatewayProcess> process_;
};

struct Server {
  const char* name;
  std::string address;
  pid_t pid;
};

struct Figures {
  std::vector<double> per_second;
  std::vector<double> cpu_us;
  std::vector<double> p50_us;
  std::vector<double> p99_us;
};

// One gRPC message as it stands in an HTTP/2 body: a flag, a length, the bytes.
std::string WriteMessageFile(const std::string& folder) {
  const std::string message = Request().SerializeAsString();
  std::string path = absl::StrCat(folder, "/message");
  std::ofstream file(path, std::ios::binary);
  const auto size = static_cast<uint32_t>(message.size());
  const std::array<char, 5> head = {0, static_cast<char>(size >> 24), static_cast<char>(size >> 16),
                                    static_cast<char>(size >> 8), static_cast<char>(size)};
  file.write(head.data(), head.size());
  file << message;
  return path;
}

void RunH2load(const Server& server, int connections, int streams, int calls, const std::string& message_file,
               Figures& figures) {
  const std::string command =
      absl::StrCat("h2load -n ", calls, " -c ", connections, " -m ", streams, " -d ", message_file,
                   " -H 'content-type: application/grpc' -H 'te: trailers' http://", server.address, kPath, " 2>&1");
  const absl::Duration before = CpuOf(server.pid);
  std::FILE* pipe = popen(command.c_str(), "r");
  std::string output;
  std::array<char, 4096> buffer;
  while (const size_t got = std::fread(buffer.data(), 1, buffer.size(), pipe)) output.append(buffer.data(), got);
  pclose(pipe);
  const absl::Duration used = CpuOf(server.pid) - before;
  const size_t at = output.find("finished in ");
  if (at == std::string::npos || output.find(absl::StrCat(calls, " succeeded")) == std::string::npos) {
    Fail(absl::StrCat("h2load failed:\n", output));
  }
  const std::vector<std::string> words = absl::StrSplit(output.substr(at, 120), ' ');
  double per_second = 0;
  if (!absl::SimpleAtod(words[3], &per_second)) Fail(output);
  figures.per_second.push_back(per_second);
  figures.cpu_us.push_back(absl::ToDoubleMicroseconds(used) / calls);
}

// Calls with what `message` makes; all must succeed.
void RunCalls(const Server& server, GrpcLoad load, Figures& figures) {
  load.address = server.address;
  load.path = kPath;
  const absl::Duration before = CpuOf(server.pid);
  const GrpcLoadResult result = RunGrpcLoad(load);
  const absl::Duration used = CpuOf(server.pid) - before;
  if (result.failed > 0) Fail(absl::StrCat(server.name, ": ", result.failed, " calls failed: ", result.failure));
  figures.per_second.push_back(result.per_second);
  figures.cpu_us.push_back(absl::ToDoubleMicroseconds(used) / static_cast<double>(load.calls));
  figures.p50_us.push_back(result.Percentile(0.5));
  figures.p99_us.push_back(result.Percentile(0.99));
}

std::string WithoutId(int64_t) {
  static const std::string message = Request().SerializeAsString();
  return message;
}

// No two alike, in this run or another; spread over a thousand sessions.
std::string WithId(int64_t call) {
  static int64_t base = absl::ToUnixNanos(absl::Now());
  static v1::SendTextRequest request = Request();
  request.set_session_id(absl::StrFormat("11111111-1111-4111-8111-%012d", call % 1000));
  request.set_request_id(absl::StrCat("order-", ++base * 2654435761 % 1'000'000'000'039));
  return request.SerializeAsString();
}

// Of `servers`: what others are compared with, and ours.
constexpr size_t kProxy = 1;
constexpr size_t kGateway = 2;

// Gives the calls a second that the gateway made in the last of the loads.
double Throughput(BenchReport& report, const std::vector<Server>& servers, int calls) {
  double peak = 0;
  report.Begin("throughput", "SendText without a request id (h2load; connections x streams)");
  const Folder folder;
  const std::string message_file = WriteMessageFile(folder.path());
  for (const auto& [connections, streams] : {std::pair{4, 8}, std::pair{4, 16}, std::pair{4, 50}}) {
    std::vector<Figures> figures(servers.size());
    for (const Server& server : servers) {
      Figures warm_up;
      RunH2load(server, connections, streams, calls / 5, message_file, warm_up);
    }
    for (int round = 0; round < kRounds; ++round) {
      for (size_t i = 0; i < servers.size(); ++i) {
        RunH2load(servers[i], connections, streams, calls, message_file, figures[i]);
      }
    }
    const double bare = Median(figures[kProxy].cpu_us);
    const double ours = Median(figures[kGateway].cpu_us);
    for (size_t i = 0; i < servers.size(); ++i) {
      const double cpu = Median(figures[i].cpu_us);
      report.Row({{"load", absl::StrCat(connections, "x", streams)}, {"server", servers[i].name}},
                 {{"calls/s", Median(figures[i].per_second)},
                  {"cpu_us/call", cpu},
                  {"cpu/bare_proxy", cpu / bare},
                  {"cpu/gateway", cpu / ours}});
    }
    peak = Median(figures[kGateway].per_second);
  }
  return peak;
}

void Latency(BenchReport& report, const std::vector<Server>& servers, int calls, double peak) {
  report.Begin("latency", "Latency of SendText without a request id, one call at a time and at half the peak rate");
  for (const double rate : {0.0, std::round(peak / 200) * 100}) {
    // Half of what ours can do is more than all of what a peer can.
    const size_t measured = rate == 0 ? servers.size() : kGateway + 1;
    std::vector<Figures> figures(measured);
    GrpcLoad load;
    load.message = WithoutId;
    load.per_second = rate;
    load.connections = rate == 0 ? 1 : 4;
    load.streams = rate == 0 ? 1 : 250;
    load.calls = rate == 0 ? calls / 10 : std::min(calls, static_cast<int>(rate * 4));
    for (int round = 0; round < kRounds; ++round) {
      for (size_t i = 0; i < measured; ++i) RunCalls(servers[i], load, figures[i]);
    }
    for (size_t i = 0; i < measured; ++i) {
      report.Row({{"load", rate == 0 ? "1 at once" : absl::StrCat(rate, "/s")}, {"server", servers[i].name}},
                 {{"p50_us", Median(figures[i].p50_us)},
                  {"p99_us", Median(figures[i].p99_us)},
                  {"added_p50_us", Median(figures[i].p50_us) - Median(figures[kProxy].p50_us)},
                  {"added_p99_us", Median(figures[i].p99_us) - Median(figures[kProxy].p99_us)}});
    }
  }
}

void Ids(BenchReport& report, const std::string& upstream, int calls) {
  report.Begin("ids", "What durable request ids and pacing cost SendText (4 connections x 50, a live key)");
  const Gateway plain(upstream, R"({"pacing": {"off": true}})", /*live=*/true);
  const Gateway paced(upstream, R"({"pacing": {"interval": "0.001s", "jitter": 0, "burst": 1000}})",
                      /*live=*/true);
  struct Case {
    const char* name;
    Server server;
    std::string (*message)(int64_t);
  };
  const std::vector<Case> cases = {
      {"neither", {"gateway", plain.address(), plain.pid()}, WithoutId},
      {"ids", {"gateway", plain.address(), plain.pid()}, WithId},
      {"ids and pacing", {"gateway", paced.address(), paced.pid()}, WithId},
  };
  std::vector<Figures> figures(cases.size());
  GrpcLoad load;
  load.connections = 4;
  load.streams = 50;
  for (int round = -1; round < kRounds; ++round) {  // the first to warm up
    for (size_t i = 0; i < cases.size(); ++i) {
      Figures warm_up;
      load.calls = round < 0 ? calls / 5 : calls;
      load.message = cases[i].message;
      RunCalls(cases[i].server, load, round < 0 ? warm_up : figures[i]);
    }
  }
  for (size_t i = 0; i < cases.size(); ++i) {
    report.Row({{"with", cases[i].name}},
               {{"calls/s", Median(figures[i].per_second)},
                {"of_neither", Median(figures[i].per_second) / Median(figures[0].per_second)},
                {"cpu_us/call", Median(figures[i].cpu_us)},
                {"added_cpu_us", Median(figures[i].cpu_us) - Median(figures[i == 0 ? 0 : i - 1].cpu_us)},
                {"p50_us", Median(figures[i].p50_us)},
                {"p99_us", Median(figures[i].p99_us)}});
  }
}

// Sends one call after the other, all of which are refused with `reason`; empty: answered.
void Refusals(BenchReport& report, const std::string& name, const std::string& address, const std::string& reason,
              int before) {
  auto stub = v1::MessagingService::NewStub(grpc::CreateChannel(address, grpc::InsecureChannelCredentials()));
  std::vector<double> times;
  for (int i = 0; i < 1000 + before; ++i) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(5));
    v1::SendTextResponse response;
    const absl::Time start = absl::Now();
    const grpc::Status status = stub->SendText(&context, Request(), &response);
    if (i < before) continue;
    times.push_back(absl::ToDoubleMicroseconds(absl::Now() - start));
    if (status.ok() != reason.empty() || status.error_details().find(reason) == std::string::npos) {
      Fail(absl::StrCat(name, ": not refused with ", reason, ": ", status.error_message()));
    }
  }
  std::sort(times.begin(), times.end());
  const auto slow = times.end() - std::upper_bound(times.begin(), times.end(), 5000.0);
  report.Row({{"refusal", name}}, {{"p50_us", times[times.size() / 2]},
                                   {"p99_us", times[times.size() * 99 / 100]},
                                   {"max_us", times.back()},
                                   {"over_5_ms", static_cast<double>(slow)}});
}

void AllRefusals(BenchReport& report, const std::string& upstream) {
  report.Begin("refusals", "How soon refusals come back (one call at a time), beside an answer that takes no thought");
  {
    const ServerProcess echo({BinaryPath("bare_echo")});
    Refusals(report, "none (bare echo)", echo.address(), "", 1);
  }
  Refusals(report, "PACED",
           Gateway(upstream, R"({"pacing": {"interval": "3600s", "jitter": 0, "burst": 1}})", true).address(), "PACED",
           1);
  Refusals(report, "PACED (daily limit)",
           Gateway(upstream, R"({"pacing": {"interval": "0.001s", "burst": 100, "daily_limit": 1}})", true).address(),
           "PACED", 1);
  Refusals(report, "BREAKER_OPEN", Gateway("127.0.0.1:9", "").address(), "BREAKER_OPEN", 10);
  {
    // One call waits for its slot and takes the only place meanwhile.
    const Gateway full(upstream,
                       R"({"limits": {"max_in_flight_sends": 1},
                           "pacing": {"interval": "20s", "jitter": 0, "burst": 1}})",
                       true);
    auto stub = v1::MessagingService::NewStub(grpc::CreateChannel(full.address(), grpc::InsecureChannelCredentials()));
    grpc::ClientContext first;
    v1::SendTextResponse response;
    if (!stub->SendText(&first, Request(), &response).ok()) Fail("the first send of the paced session failed");
    // The place of the first may not be free yet: then it is tried again.
    grpc::CompletionQueue queue;
    std::unique_ptr<grpc::ClientContext> waiting;
    std::unique_ptr<grpc::ClientAsyncResponseReader<v1::SendTextResponse>> call;
    grpc::Status status;
    void* tag = nullptr;
    bool ok = false;
    do {
      waiting = std::make_unique<grpc::ClientContext>();
      call = stub->AsyncSendText(waiting.get(), Request(), &queue);
      call->Finish(&response, &status, nullptr);
    } while (queue.AsyncNext(&tag, &ok, std::chrono::system_clock::now() + std::chrono::milliseconds(200)) ==
             grpc::CompletionQueue::GOT_EVENT);
    Refusals(report, "OVERLOADED", full.address(), "OVERLOADED", 0);
    waiting->TryCancel();
    queue.Next(&tag, &ok);
  }
}

int Main(std::set<std::string> words) {
  const int calls = words.erase("quick") > 0 ? 5'000 : 60'000;
  const auto wanted = [&words](const char* part) { return words.empty() || words.count(part) > 0; };
  BenchReport report("send");
  const ServerProcess upstream({BinaryPath("fixed_upstream")});
  if (wanted("throughput") || wanted("latency")) {
    const ServerProcess echo({BinaryPath("bare_echo")});
    const ServerProcess proxy({BinaryPath("bare_proxy"), upstream.address()});
    const Gateway gateway(upstream.address(), "");
    std::vector<Server> servers = {{"bare echo", echo.address(), echo.pid()},
                                   {"bare proxy", proxy.address(), proxy.pid()},
                                   {"gateway", gateway.address(), gateway.pid()}};
    const Folder folder;
    const std::vector<Peer> peers =
        StartPeers(folder.path(), absl::StrCat("http://", upstream.address()), "whsec_bench");
    for (const Peer& peer : peers) servers.push_back({peer.name.c_str(), peer.grpc_address, peer.process.pid()});
    const double peak = wanted("throughput") ? Throughput(report, servers, calls) : 4000;
    if (wanted("latency")) Latency(report, servers, calls, peak);
  }
  if (wanted("ids")) Ids(report, upstream.address(), calls);
  if (wanted("refusals")) AllRefusals(report, upstream.address());
  return 0;
}

}  // namespace
}  // namespace aulm::gateway

int main(int argc, char** argv) { return aulm::gateway::Main(std::set<std::string>(argv + 1, argv + argc)); }
