// What it costs to hand events to many streams, beside its floor in the same run on the same cores:
//   raw      ready-made ByteBuffers of the same bytes, written by a bare reactor, and nothing else
//   gateway  hub, streams and EventService, with every check, metric and cursor
// then live events to many streams, idle streams, and replay from the disk. The clients run in this process and count
// frames without decoding them; CPU and memory are the server process's own.
//
// Usage: fanout_bench [quick] [fan-out] [live] [idle] [replay]; without a part, all. Needs fanout_server in the folder
// of the built programs.
#include <time.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "tests/bench/fanout/stream_load.h"
#include "tests/support/child_process.h"

namespace aulm::gateway {
namespace {

constexpr int kStreams = 50;
constexpr int kConnections = 10;

// A fanout_server and its address.
class Server {
 public:
  explicit Server(const std::vector<std::string>& arguments) : child_(Start(arguments)) {
    const auto line = child_.ReadLine(absl::Minutes(2));
    if (!line.ok()) {
      std::fprintf(stderr, "fanout_server did not start: %s\n", line.status().ToString().c_str());
      std::exit(1);
    }
    address_ = line->substr(line->rfind(' ') + 1);
  }

  const std::string& address() const { return address_; }

  // User and system time used so far.
  absl::Duration Cpu() const {
    clockid_t clock;
    timespec used;
    if (clock_getcpuclockid(child_.pid(), &clock) != 0 || clock_gettime(clock, &used) != 0) return absl::ZeroDuration();
    return absl::DurationFromTimespec(used);
  }

  int64_t ResidentBytes() const {
    std::ifstream statm(absl::StrCat("/proc/", child_.pid(), "/statm"));
    int64_t size = 0, resident = 0;
    statm >> size >> resident;
    return resident * sysconf(_SC_PAGESIZE);
  }

 private:
  static ChildProcess Start(const std::vector<std::string>& arguments) {
    std::vector<std::string> command = {BinaryPath("fanout_server")};
    command.insert(command.end(), arguments.begin(), arguments.end());
    auto child = ChildProcess::Start(command, {}, "/dev/null");
    if (!child.ok()) {
      std::fprintf(stderr, "%s\n", child.status().ToString().c_str());
      std::exit(1);
    }
    return *std::move(child);
  }

  ChildProcess child_;
  std::string address_;
};

// A folder that goes with this.
class Folder {
 public:
  Folder() : path_("/tmp/fanout_bench_XXXXXX") {
    if (mkdtemp(path_.data()) == nullptr) std::exit(1);
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

struct Figures {
  double per_second = 0;
  double cpu_us = 0;  // a delivery
};

Figures Run(const Server& server, const StreamLoad::Options& options) {
  const absl::Duration before = server.Cpu();
  StreamLoad load(server.address(), options);
  const absl::Duration took = load.WaitForEvents();
  const double deliveries = static_cast<double>(options.events_each) * options.streams;
  return {deliveries / absl::ToDoubleSeconds(took), absl::ToDoubleMicroseconds(server.Cpu() - before) / deliveries};
}

v1::SubscribeEventsRequest FromEarliest(int batch) {
  v1::SubscribeEventsRequest request;
  request.set_position(v1::START_POSITION_EARLIEST);
  request.set_max_batch_events(static_cast<uint32_t>(batch));
  return request;
}

void FanOut(int scale) {
  const int events = 100'000 / scale;
  std::printf("Fan-out to %d streams on %d connections\n", kStreams, kConnections);
  std::printf("%-10s %12s %14s %18s %10s\n", "", "events/frame", "deliveries/s", "CPU us/delivery", "CPU / raw");
  Server gateway({"ring", absl::StrCat(events)});
  for (const int batch : {1, 16, 128, 256}) {
    StreamLoad::Options options;
    options.streams = kStreams;
    options.connections = kConnections;
    options.events_each = static_cast<size_t>(batch == 1 ? events / 10 : events);
    options.request = FromEarliest(batch);
    const Server raw({"raw", absl::StrCat(events), absl::StrCat(batch)});
    Run(raw, options);  // warm-up
    const Figures floor = Run(raw, options);
    Run(gateway, options);
    const Figures ours = Run(gateway, options);
    std::printf("%-10s %12d %14.0f %18.3f\n", "raw", batch, floor.per_second, floor.cpu_us);
    std::printf("%-10s %12d %14.0f %18.3f %10.2f\n", "gateway", batch, ours.per_second, ours.cpu_us,
                ours.cpu_us / floor.cpu_us);
  }
}

void Live(int scale) {
  constexpr int kLiveStreams = 1000, kRate = 100;
  const int seconds = std::max(2, 10 / scale);
  const Folder folder;
  const Server server({"live", absl::StrCat(kLiveStreams), absl::StrCat(kRate), absl::StrCat(seconds), folder.path()});
  StreamLoad::Options options;
  options.streams = kLiveStreams;
  options.connections = 20;
  options.events_each = static_cast<size_t>(kRate) * seconds;
  options.latencies = true;
  StreamLoad load(server.address(), options);
  load.WaitForStarted();
  const absl::Duration before = server.Cpu();
  load.WaitForEvents();
  const absl::Duration cpu = server.Cpu() - before;
  const std::vector<absl::Duration> latencies = load.Latencies();
  std::printf("\nLive: %d streams x %d events/s for %d s, SQLite FULL; append (before its commit) to receive\n",
              kLiveStreams, kRate, seconds);
  std::printf("p50 %.1f ms   p99 %.1f ms   max %.1f ms   server CPU %.0f %% of a core, %.2f us/delivery\n",
              absl::ToDoubleMilliseconds(latencies[latencies.size() / 2]),
              absl::ToDoubleMilliseconds(latencies[latencies.size() * 99 / 100]),
              absl::ToDoubleMilliseconds(latencies.back()), 100 * absl::ToDoubleSeconds(cpu) / seconds,
              absl::ToDoubleMicroseconds(cpu) / static_cast<double>(latencies.size()));
}

void Idle(int scale) {
  const int streams = 5000 / scale;
  const Server server({"ring", "1000"});
  {
    StreamLoad::Options warm_up;
    warm_up.streams = 100;
    warm_up.connections = 20;
    StreamLoad load(server.address(), warm_up);
    load.WaitForStarted();
  }
  const int64_t before = server.ResidentBytes();
  StreamLoad::Options options;
  options.streams = streams;
  options.connections = 20;
  StreamLoad load(server.address(), options);
  load.WaitForStarted();
  const int64_t after = server.ResidentBytes();
  const absl::Duration cpu = server.Cpu();
  absl::SleepFor(absl::Seconds(20));
  std::printf("\nIdle: %d streams on 20 connections: %.1f KB each; CPU %.2f %% of a core (heartbeats)\n", streams,
              static_cast<double>(after - before) / 1024 / streams,
              100 * absl::ToDoubleSeconds(server.Cpu() - cpu) / 20);
}

void Replay(int scale) {
  const int events = 500'000 / scale;
  const Folder folder;
  const Server server({"disk", absl::StrCat(events), folder.path()});
  std::printf("\nReplay of %d events from the disk (SQLite), behind the ring\n", events);
  std::printf("%-28s %14s %18s\n", "", "events/s", "CPU us/event");
  for (const int streams : {1, 4}) {
    StreamLoad::Options options;
    options.streams = streams;
    options.connections = streams;
    options.events_each = static_cast<size_t>(events);
    options.request = FromEarliest(0);
    Run(server, options);
    const Figures figures = Run(server, options);
    std::printf("%-28s %14.0f %18.3f\n", absl::StrCat(streams, " stream(s)").c_str(), figures.per_second,
                figures.cpu_us);
  }
  // A filter that the last event alone passes: everything is looked at, nothing delivered until then.
  StreamLoad::Options options;
  options.events_each = 1;
  options.request = FromEarliest(0);
  options.request.mutable_filter()->add_message_ids(absl::StrCat("m", events));
  const absl::Duration before = server.Cpu();
  const absl::Time begun = absl::Now();
  StreamLoad load(server.address(), options);
  load.WaitForEvents();
  const double seconds = absl::ToDoubleSeconds(absl::Now() - begun);
  std::printf("%-28s %14.0f %18.3f\n", "1 stream, all filtered out", events / seconds,
              absl::ToDoubleMicroseconds(server.Cpu() - before) / events);
}

}  // namespace
}  // namespace aulm::gateway

int main(int argc, char** argv) {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  std::set<std::string> words(argv + 1, argv + argc);
  const int scale = words.erase("quick") > 0 ? 10 : 1;
  const auto wanted = [&words](const char* part) { return words.empty() || words.count(part) > 0; };
  if (wanted("fan-out")) aulm::gateway::FanOut(scale);
  if (wanted("live")) aulm::gateway::Live(scale);
  if (wanted("idle")) aulm::gateway::Idle(scale);
  if (wanted("replay")) aulm::gateway::Replay(scale);
  return 0;
}
