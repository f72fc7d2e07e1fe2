// HTTP/2 rapid reset against the gateway: 4 connections that open 50,000 calls each and reset every one at once. Prints
// what the gateway's memory comes to, and how long a well-behaved caller waits meanwhile, beside the same caller alone.
//   rapid_reset_bench [CONNECTIONS [CALLS_EACH]]
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "aulm/gateway/v1/event_service.grpc.pb.h"
#include "tests/bench/rapid_reset/http2_attacker.h"
#include "tests/support/gateway_process.h"

namespace aulm::gateway {
namespace {

constexpr absl::Duration kLimit = absl::Seconds(60);
constexpr absl::Duration kAlone = absl::Seconds(3);

// "VmHWM" (the most it ever was) or "VmRSS" (now), in MiB.
double MemoryOf(pid_t pid, const std::string& what) {
  std::ifstream file(absl::StrCat("/proc/", pid, "/status"));
  std::string line;
  while (std::getline(file, line)) {
    if (!absl::StartsWith(line, what + ":")) continue;
    const std::vector<std::string> words = absl::StrSplit(line, absl::ByAnyChar(": \t"), absl::SkipEmpty());
    double kilobytes = 0;
    if (words.size() > 1 && absl::SimpleAtod(words[1], &kilobytes)) return kilobytes / 1024;
  }
  return 0;
}

// A caller that reads the log's end over and over, on one connection.
class GoodCaller {
 public:
  explicit GoodCaller(const std::string& address) : thread_([this, address] { Run(address); }) {}

  // How its calls went since it began.
  void Report(const char* name, double& p99_ms) {
    stopping_ = true;
    thread_.join();
    std::sort(took_.begin(), took_.end());
    const auto at = [this](double part) {
      return took_.empty() ? 0 : absl::ToDoubleMilliseconds(took_[static_cast<size_t>(part * (took_.size() - 1))]);
    };
    p99_ms = at(0.99);
    std::printf("%-34s %8zu calls  %4zu failed   p50 %7.2f ms   p99 %8.2f ms   max %8.2f ms\n", name, took_.size(),
                failed_, at(0.5), p99_ms, at(1));
  }

 private:
  void Run(const std::string& address) {
    const auto stub = v1::EventService::NewStub(grpc::CreateChannel(address, grpc::InsecureChannelCredentials()));
    while (!stopping_) {
      grpc::ClientContext context;
      context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
      v1::ReadEventsResponse response;
      const absl::Time begun = absl::Now();
      if (!stub->ReadEvents(&context, {}, &response).ok()) ++failed_;
      took_.push_back(absl::Now() - begun);
      absl::SleepFor(absl::Milliseconds(1));
    }
  }

  std::vector<absl::Duration> took_;
  size_t failed_ = 0;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

int Run(int connections, uint32_t calls) {
  GatewayProcess::Options options;
  options.folder = absl::StrCat(std::filesystem::temp_directory_path().string(), "/rapid-reset-", getpid());
  std::filesystem::create_directories(options.folder);
  if (const char* const config = std::getenv("GATEWAY_CONFIG"); config != nullptr) {
    options.environment["GATEWAY_CONFIG"] = config;
  }
  auto gateway = GatewayProcess::Start(options);
  if (!gateway.ok()) {
    std::fprintf(stderr, "%s\n", gateway.status().ToString().c_str());
    return 1;
  }
  const pid_t pid = gateway->process().pid();
  double alone = 0, attacked = 0;
  const double before = MemoryOf(pid, "VmRSS");
  {
    GoodCaller caller(gateway->grpc_address());
    absl::SleepFor(kAlone);
    caller.Report("a caller alone", alone);
  }
  GoodCaller caller(gateway->grpc_address());
  std::vector<ResetRun> runs(static_cast<size_t>(connections));
  const absl::Time begun = absl::Now();
  std::vector<std::thread> attackers;
  for (ResetRun& run : runs) {
    attackers.emplace_back([&run, &gateway, calls] { run = OpenAndReset(gateway->grpc_address(), calls, kLimit); });
  }
  for (std::thread& attacker : attackers) attacker.join();
  const absl::Duration took = absl::Now() - begun;
  caller.Report(absl::StrCat("beside ", connections, " x ", calls, " resets").c_str(), attacked);
  uint64_t opened = 0;
  for (const ResetRun& run : runs) {
    opened += run.opened;
    std::printf("  connection: %u calls in %.1f s, %s\n", run.opened, absl::ToDoubleSeconds(run.took),
                run.ended.c_str());
  }
  const double most = MemoryOf(pid, "VmHWM");
  absl::SleepFor(absl::Seconds(5));
  std::printf("memory: %.0f MiB before, %.0f MiB at the most (%.1f x), %.0f MiB 5 s after; %.0f resets/s; p99 %.1f x\n",
              before, most, most / before, MemoryOf(pid, "VmRSS"),
              static_cast<double>(opened) / absl::ToDoubleSeconds(took), attacked / std::max(alone, 0.001));
  gateway->process().Signal(SIGKILL);
  std::filesystem::remove_all(options.folder);
  return 0;
}

}  // namespace
}  // namespace aulm::gateway

int main(int argc, char** argv) {
  const int connections = argc > 1 ? std::atoi(argv[1]) : 4;
  const int calls = argc > 2 ? std::atoi(argv[2]) : 50'000;
  return aulm::gateway::Run(connections, static_cast<uint32_t>(calls));
}
