// What aulm's deliveries feel of slow peers: good webhooks come at a steady rate over kept-alive connections while
// 1,000 connections do their worst, slow headers, slow bodies and slow readers in turn. The baseline is the same rate
// without them, in the same run. A latency counts from the moment at which the delivery was due, so that nothing is
// hidden by waiting for an answer. Broken connections are those that gave way to others: aulm would deliver again.
//
// Usage: slow_peers_bench [seconds of each part, 20 by default] [slow connections, 1000 by default].
#include <stdlib.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "tests/bench/webhook/slow_peers.h"
#include "tests/support/gateway_process.h"
#include "tests/support/webhook_client.h"

namespace aulm::gateway {
namespace {

constexpr char kSecret[] = "whsec_bench";
constexpr char kSession[] = "11111111-2222-3333-4444-555555555555";
constexpr int kClients = 8;
constexpr int kPerSecond = 400;

struct Figures {
  std::vector<double> milliseconds;
  int refused = 0;
  int broken = 0;

  double At(double quantile) {
    std::sort(milliseconds.begin(), milliseconds.end());
    return milliseconds[static_cast<size_t>(static_cast<double>(milliseconds.size() - 1) * quantile)];
  }
};

// One client's share of the good deliveries. `name` keeps their ids apart.
Figures Deliver(const std::string& address, const std::string& name, absl::Duration length) {
  Figures figures;
  WebhookClient client(address, kSecret);
  const absl::Duration interval = absl::Seconds(1) * kClients / kPerSecond;
  const absl::Time end = absl::Now() + length;
  int count = 0;
  for (absl::Time due = absl::Now(); due < end; due += interval) {
    absl::SleepFor(due - absl::Now());
    const std::string id = absl::StrCat(name, "-", ++count);
    const auto status = client.Post("inbound_message", id, InboundMessageBody(id, kSession, "+966512345678", "hello"));
    figures.milliseconds.push_back(absl::ToDoubleMilliseconds(absl::Now() - due));
    if (!status.ok()) {
      ++figures.broken;
    } else if (*status != 200) {
      ++figures.refused;
    }
  }
  return figures;
}

Figures DeliverFromAll(const std::string& address, const std::string& name, absl::Duration length) {
  std::vector<Figures> each(kClients);
  std::vector<std::thread> threads;
  for (int i = 0; i < kClients; ++i) {
    threads.emplace_back([&, i] { each[static_cast<size_t>(i)] = Deliver(address, absl::StrCat(name, i), length); });
  }
  for (std::thread& thread : threads) thread.join();
  Figures all;
  for (const Figures& one : each) {
    all.milliseconds.insert(all.milliseconds.end(), one.milliseconds.begin(), one.milliseconds.end());
    all.refused += one.refused;
    all.broken += one.broken;
  }
  return all;
}

int Run(absl::Duration length, size_t connections) {
  std::string folder = (std::filesystem::temp_directory_path() / "slow_peers.XXXXXX").string();
  if (mkdtemp(folder.data()) == nullptr) return 1;
  GatewayProcess::Options options;
  options.folder = folder;
  options.webhook_secret = kSecret;
  auto gateway = GatewayProcess::Start(options);
  if (!gateway.ok()) {
    std::fprintf(stderr, "slow_peers_bench: %s\n", gateway.status().ToString().c_str());
    return 1;
  }
  const std::string& address = gateway->webhook_address();
  std::printf("%d good deliveries a second over %d connections, %.0f s each part, %zu slow connections\n", kPerSecond,
              kClients, absl::ToDoubleSeconds(length), connections);
  std::printf("%-14s %10s %9s %9s %9s %9s %8s %8s %12s\n", "", "deliveries", "p50 ms", "p99 ms", "max ms", "p99/bare",
              "refused", "broken", "slow, ended");
  double bare = 0;
  DeliverFromAll(address, "warm", absl::Seconds(2));
  const std::vector<std::pair<const char*, Slowness>> parts = {{"nobody slow", Slowness::kHeaders},
                                                               {"slow headers", Slowness::kHeaders},
                                                               {"slow bodies", Slowness::kBodies},
                                                               {"slow readers", Slowness::kReading}};
  for (size_t i = 0; i < parts.size(); ++i) {
    std::unique_ptr<SlowPeers> slow;
    if (i > 0) {
      slow = std::make_unique<SlowPeers>(parts[i].second, connections, address);
      slow->AwaitOpen();
    }
    Figures figures = DeliverFromAll(address, absl::StrCat("part", i, "-"), length);
    const double p99 = figures.At(0.99);
    if (i == 0) bare = p99;
    std::printf("%-14s %10zu %9.2f %9.2f %9.2f %9.2f %8d %8d %12llu\n", parts[i].first, figures.milliseconds.size(),
                figures.At(0.5), p99, figures.At(1), p99 / bare, figures.refused, figures.broken,
                static_cast<unsigned long long>(slow == nullptr ? 0 : slow->ended()));  // NOLINT(google-runtime-int)
    std::fflush(stdout);
  }
  std::filesystem::remove_all(folder);
  return 0;
}

}  // namespace
}  // namespace aulm::gateway

int main(int argc, char** argv) {
  int seconds = 20;
  uint32_t connections = 1000;
  if (argc > 1 && !absl::SimpleAtoi(argv[1], &seconds)) return 2;
  if (argc > 2 && !absl::SimpleAtoi(argv[2], &connections)) return 2;
  return aulm::gateway::Run(absl::Seconds(seconds), connections);
}
