// What it costs to hand events to many streams, beside its floor in the same run on the same cores:
//   raw      ready-made ByteBuffers of the same bytes, written by a bare reactor, and nothing else
//   gateway  hub, streams and EventService, with every check, metric and cursor
// then live events to many streams, idle streams, and replay from the disk. The clients run in this process and count
// frames without decoding them; CPU and memory are the server process's own.
//
// Usage: fanout_bench [quick] [fan-out] [live] [stalled] [idle] [replay]; without a part, all. Needs fanout_server in
// the folder of the built programs.
#include <stdlib.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "tests/bench/fanout/stream_load.h"
#include "tests/bench/support/bench_report.h"
#include "tests/bench/support/server_process.h"

namespace aulm::gateway {
namespace {

constexpr int kStreams = 50;
constexpr int kConnections = 10;
constexpr int kRounds = 3;

// A fanout_server.
class Server {
 public:
  explicit Server(std::vector<std::string> arguments) : process_(Command(std::move(arguments))) {}

  const std::string& address() const { return process_.address(); }
  pid_t pid() const { return process_.pid(); }
  // User and system time used so far.
  absl::Duration Cpu() const { return CpuOf(process_.pid()); }

 private:
  static std::vector<std::string> Command(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), BinaryPath("fanout_server"));
    return arguments;
  }

  ServerProcess process_;
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

void FanOut(BenchReport& report, int scale) {
  const int events = 100'000 / scale;
  report.Begin("fan-out", absl::StrCat("Fan-out to ", kStreams, " streams on ", kConnections, " connections"));
  Server gateway({"ring", absl::StrCat(events)});
  for (const int batch : {1, 16, 128, 256}) {
    StreamLoad::Options options;
    options.streams = kStreams;
    options.connections = kConnections;
    options.events_each = static_cast<size_t>(batch == 1 ? events / 10 : events);
    options.request = FromEarliest(batch);
    const Server raw({"raw", absl::StrCat(events), absl::StrCat(batch)});
    Run(raw, options);  // warm-up
    Run(gateway, options);
    std::vector<double> rates[2], cpus[2];
    for (int round = 0; round < kRounds; ++round) {
      for (int i = 0; i < 2; ++i) {
        const Figures figures = Run(i == 0 ? raw : gateway, options);
        rates[i].push_back(figures.per_second);
        cpus[i].push_back(figures.cpu_us);
      }
    }
    for (int i = 0; i < 2; ++i) {
      report.Row({{"events/frame", absl::StrCat(batch)}, {"server", i == 0 ? "raw bytes" : "gateway"}},
                 {{"deliveries/s", Median(rates[i])},
                  {"cpu_us/delivery", Median(cpus[i])},
                  {"cpu/raw", Median(cpus[i]) / Median(cpus[0])}});
    }
  }
}

void Live(BenchReport& report, int scale) {
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
  report.Begin("live", absl::StrCat("Live: ", kLiveStreams, " streams x ", kRate, " events/s for ", seconds,
                                    " s, SQLite FULL; append (before its commit) to receive"));
  report.Row({{"streams", absl::StrCat(kLiveStreams)}},
             {{"p50_ms", absl::ToDoubleMilliseconds(latencies[latencies.size() / 2])},
              {"p99_ms", absl::ToDoubleMilliseconds(latencies[latencies.size() * 99 / 100])},
              {"max_ms", absl::ToDoubleMilliseconds(latencies.back())},
              {"cpu_cores", absl::ToDoubleSeconds(cpu) / seconds},
              {"cpu_us/delivery", absl::ToDoubleMicroseconds(cpu) / static_cast<double>(latencies.size())}});
}

// Streams whose clients take nothing, beside others: what each holds back of the server's memory, and of the others'
// time.
void Stalled(BenchReport& report, int scale) {
  constexpr int kStalled = 50;
  const int events = 100'000 / scale;
  report.Begin("stalled",
               absl::StrCat(kStreams, " streams (16 events a frame) beside ", kStalled, " that take nothing"));
  const Server server({"ring", absl::StrCat(events)});
  StreamLoad::Options options;
  options.streams = kStreams;
  options.connections = kConnections;
  options.events_each = static_cast<size_t>(events);
  options.request = FromEarliest(16);
  StreamLoad::Options stalled;
  stalled.streams = kStalled;
  stalled.connections = kConnections;
  stalled.stalled = true;
  stalled.request = FromEarliest(16);
  Run(server, options);  // warm-up
  std::vector<double> rates[2], cpus[2], kilobytes;
  for (int round = 0; round < kRounds; ++round) {
    for (int i = 0; i < 2; ++i) {
      const int64_t before = ResidentBytesOf(server.pid());
      std::unique_ptr<StreamLoad> idle;
      if (i == 1) {
        idle = std::make_unique<StreamLoad>(server.address(), stalled);
        idle->WaitForStarted();
        absl::SleepFor(absl::Seconds(1));  // until what fits on the way has been written
        kilobytes.push_back(static_cast<double>(ResidentBytesOf(server.pid()) - before) / 1024 / kStalled);
      }
      const Figures figures = Run(server, options);
      rates[i].push_back(figures.per_second);
      cpus[i].push_back(figures.cpu_us);
    }
  }
  for (int i = 0; i < 2; ++i) {
    report.Row({{"stalled", i == 0 ? "0" : absl::StrCat(kStalled)}}, {{"deliveries/s", Median(rates[i])},
                                                                      {"cpu_us/delivery", Median(cpus[i])},
                                                                      {"of_none", Median(rates[i]) / Median(rates[0])},
                                                                      {"kb/stalled", i == 0 ? 0 : Median(kilobytes)}});
  }
}

void IdleStreams(BenchReport& report, int streams) {
  const Server server({"ring", "1000"});
  {
    StreamLoad::Options warm_up;
    warm_up.streams = 100;
    warm_up.connections = 20;
    StreamLoad load(server.address(), warm_up);
    load.WaitForStarted();
  }
  const int64_t before = ResidentBytesOf(server.pid());
  StreamLoad::Options options;
  options.streams = streams;
  options.connections = 20;
  StreamLoad load(server.address(), options);
  load.WaitForStarted();
  const int64_t after = ResidentBytesOf(server.pid());
  const absl::Duration cpu = server.Cpu();
  absl::SleepFor(absl::Seconds(20));
  report.Row({{"streams", absl::StrCat(streams)}}, {{"kb/stream", static_cast<double>(after - before) / 1024 / streams},
                                                    {"resident_mb", static_cast<double>(after) / (1 << 20)},
                                                    {"cpu_cores", absl::ToDoubleSeconds(server.Cpu() - cpu) / 20}});
}

void Idle(BenchReport& report, int scale) {
  report.Begin("idle", "Idle streams on 20 connections, with their heartbeats");
  for (const int streams : {500, 2000, 5000}) IdleStreams(report, streams / scale);
}

void Replay(BenchReport& report, int scale) {
  const int events = 500'000 / scale;
  const Folder folder;
  const Server server({"disk", absl::StrCat(events), folder.path()});
  report.Begin("replay", absl::StrCat("Replay of ", events, " events from the disk (SQLite), behind the ring"));
  for (const int streams : {1, 4}) {
    StreamLoad::Options options;
    options.streams = streams;
    options.connections = streams;
    options.events_each = static_cast<size_t>(events);
    options.request = FromEarliest(0);
    Run(server, options);
    const Figures figures = Run(server, options);
    report.Row({{"replay", absl::StrCat(streams, " stream(s)")}},
               {{"events/s", figures.per_second}, {"cpu_us/event", figures.cpu_us}});
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
  report.Row(
      {{"replay", "all filtered out"}},
      {{"events/s", events / seconds}, {"cpu_us/event", absl::ToDoubleMicroseconds(server.Cpu() - before) / events}});
}

}  // namespace
}  // namespace aulm::gateway

int main(int argc, char** argv) {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  std::set<std::string> words(argv + 1, argv + argc);
  const int scale = words.erase("quick") > 0 ? 10 : 1;
  aulm::gateway::BenchReport report("fanout");
  const auto wanted = [&words](const char* part) { return words.empty() || words.count(part) > 0; };
  if (wanted("fan-out")) aulm::gateway::FanOut(report, scale);
  if (wanted("live")) aulm::gateway::Live(report, scale);
  if (wanted("stalled")) aulm::gateway::Stalled(report, scale);
  if (wanted("idle")) aulm::gateway::Idle(report, scale);
  if (wanted("replay")) aulm::gateway::Replay(report, scale);
  return 0;
}
