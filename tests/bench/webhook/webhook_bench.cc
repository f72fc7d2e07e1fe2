// What a durable webhook costs, beside its floor in the same run on the same cores and the same disk:
//   bare ingest   Beast, one HMAC, one JSON parse, SQLite with group commit, and nothing else
//   aulm-gateway  the product: limits, strict framing, typed events, deduplication with its own retention, metrics
//   the peers     the same gateway as a team would write it in an afternoon, in Go and in Node, where ./dev bench built
//   them
// Deliveries come over 1, 64 and 256 kept-alive connections, one under way on each. CPU is the server process's own
// (user + system). The two take turns, three times, and the median of each figure is shown.
//
// Usage: webhook_bench [deliveries per run, 60000 by default]. Its stores are folders below TMPDIR, else the working
// directory's.
#include <stdlib.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/bench/peers/peers.h"
#include "tests/bench/support/bench_report.h"
#include "tests/bench/support/server_process.h"
#include "tests/bench/webhook/webhook_load.h"
#include "tests/support/child_process.h"
#include "tests/support/gateway_process.h"

namespace aulm::gateway {
namespace {

constexpr int kRounds = 3;

struct Server {
  const char* name;
  std::string address;
  pid_t pid;
};

struct Figures {
  std::vector<double> per_second;
  std::vector<double> cpu_us;
  std::vector<double> median_ms;
  std::vector<double> p99_ms;
};

[[noreturn]] void Fail(absl::string_view what) {
  std::fprintf(stderr, "webhook_bench: %s\n", std::string(what).c_str());
  std::exit(1);
}

void Run(const Server& server, size_t connections, size_t count, Figures& figures) {
  static int run = 0;
  const std::vector<std::string> deliveries = MakeDeliveries(count, ++run, "whsec_test");
  const absl::Duration before = CpuOf(server.pid);
  const WebhookLoad load = PostDeliveries(deliveries, server.address, connections);
  const double used = absl::ToDoubleMicroseconds(CpuOf(server.pid) - before);
  if (load.refused > 0) Fail(absl::StrCat(server.name, " refused ", load.refused, " deliveries"));
  figures.per_second.push_back(load.per_second);
  figures.cpu_us.push_back(used / static_cast<double>(count));
  figures.median_ms.push_back(load.median_ms);
  figures.p99_ms.push_back(load.p99_ms);
}

void Measure(const std::vector<Server>& servers, size_t most) {
  BenchReport report("webhook");
  report.Begin("durable", "Webhooks, each durable before its 200 (SQLite, synchronous=FULL)");
  for (const size_t connections : {1, 64, 256}) {
    const size_t count = connections == 1 ? std::max<size_t>(most / 10, 100) : most;
    std::vector<Figures> figures(servers.size());
    for (int round = 0; round < kRounds; ++round) {
      for (size_t i = 0; i < servers.size(); ++i) Run(servers[i], connections, count, figures[i]);
    }
    for (size_t i = 0; i < servers.size(); ++i) {
      const double cpu_us = Median(figures[i].cpu_us);
      report.Row({{"connections", absl::StrCat(connections)}, {"server", servers[i].name}},
                 {{"webhooks/s", Median(figures[i].per_second)},
                  {"p50_ms", Median(figures[i].median_ms)},
                  {"p99_ms", Median(figures[i].p99_ms)},
                  {"cpu_us", cpu_us},
                  {"cpu/bare", cpu_us / Median(figures[0].cpu_us)},
                  {"cpu/aulm-gateway", cpu_us / Median(figures[1].cpu_us)}});
    }
  }
}

int Main(size_t most) {
  const char* const parent = getenv("TMPDIR");
  std::string folder = absl::StrCat(parent == nullptr ? "." : parent, "/webhook_bench_XXXXXX");
  if (mkdtemp(folder.data()) == nullptr) Fail("no folder for the stores");
  {
    auto bare = ChildProcess::Start({BinaryPath("bare_ingest"), folder}, {});
    if (!bare.ok()) Fail(bare.status().ToString());
    const auto line = bare->ReadLine(absl::Seconds(10));
    if (!line.ok()) Fail(line.status().ToString());
    GatewayProcess::Options options;
    options.folder = folder;
    auto gateway = GatewayProcess::Start(options);
    if (!gateway.ok()) Fail(gateway.status().ToString());
    std::vector<Server> servers = {{"bare ingest", line->substr(line->rfind(' ') + 1), bare->pid()},
                                   {"aulm-gateway", gateway->webhook_address(), gateway->process().pid()}};
    const std::vector<Peer> peers = StartPeers(folder, options.aulm_base_url, options.webhook_secret);
    for (const Peer& peer : peers) servers.push_back({peer.name.c_str(), peer.webhook_address, peer.process.pid()});
    for (const Server& server : servers) {
      Figures warm_up;
      Run(server, 64, most / 10, warm_up);
    }
    Measure(servers, most);
  }
  std::filesystem::remove_all(folder);
  return 0;
}

}  // namespace
}  // namespace aulm::gateway

int main(int argc, char** argv) {
  return aulm::gateway::Main(argc > 1 ? static_cast<size_t>(std::max(std::atoi(argv[1]), 1000)) : 60'000);
}
