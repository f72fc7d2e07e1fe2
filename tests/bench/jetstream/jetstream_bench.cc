// What a store on JetStream costs, beside bare nats.c publishing to the same server in the same run:
//   bare publish        js_PublishAsync of messages of the same size, with a message id, and nothing else
//   EventLog            the engine alone: look up, publish, mark, follow
//   aulm-gateway        webhooks over 256 connections to a gateway on that server
//   state               compare-and-set creates, as a send's claim is one
//   commit to receive   from the stream's time of an event to a subscriber's hands at another gateway
//   subscribers         what the server works for an event, with 1 and with 200 subscribers at one gateway
// CPU is that of the process that the line is about, or of nats-server, as the column says; of all three, in a cluster.
//
// Usage: jetstream_bench [events per run, 40000 by default] [3: three servers that keep three copies].
#include <grpcpp/grpcpp.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "aulm/gateway/v1/event_service.grpc.pb.h"
#include "nats/nats.h"
#include "prometheus/registry.h"
#include "service/base/system_clock.h"
#include "service/base/system_random.h"
#include "service/storage/store.h"
#include "tests/bench/webhook/webhook_load.h"
#include "tests/support/gateway_process.h"
#include "tests/support/nats_server.h"

namespace aulm::gateway {
namespace {

constexpr int kInFlight = 2048;

[[noreturn]] void Fail(absl::string_view what) {
  std::fprintf(stderr, "jetstream_bench: %s\n", std::string(what).c_str());
  std::exit(1);
}

// User and system time of a process, in microseconds.
double CpuMicroseconds(pid_t pid) {
  std::ifstream stat(absl::StrCat("/proc/", pid, "/stat"));
  const std::string text((std::istreambuf_iterator<char>(stat)), std::istreambuf_iterator<char>());
  const std::vector<std::string> fields = absl::StrSplit(text.substr(text.rfind(')') + 2), ' ');
  double user = 0, system = 0;
  if (!absl::SimpleAtod(fields[11], &user) || !absl::SimpleAtod(fields[12], &system)) Fail("a server has gone");
  return (user + system) * 1e6 / static_cast<double>(sysconf(_SC_CLK_TCK));
}

// Where NATS is.
struct Servers {
  std::string url;
  std::vector<pid_t> pids;
};

double CpuMicroseconds(const Servers& servers) {
  double sum = 0;
  for (const pid_t pid : servers.pids) sum += CpuMicroseconds(pid);
  return sum;
}

// Time and CPU of a number of things done.
class Meter {
 public:
  Meter(pid_t self, const Servers& servers) : self_(self), servers_(servers) {}

  // Prints a line; gives the rate.
  double Print(const char* what, int count, double bare) const {
    const double seconds = absl::ToDoubleSeconds(absl::Now() - begun_);
    const double rate = count / seconds;
    std::printf("%-34s %10.0f %9.2f %14.1f %14.1f\n", what, rate, bare == 0 ? 1.0 : rate / bare,
                (CpuMicroseconds(self_) - cpu_) / count, (CpuMicroseconds(servers_) - servers_cpu_) / count);
    std::fflush(stdout);
    return rate;
  }

 private:
  const pid_t self_;
  const Servers& servers_;
  const absl::Time begun_ = absl::Now();
  const double cpu_ = CpuMicroseconds(self_);
  const double servers_cpu_ = CpuMicroseconds(servers_);
};

// At most kInFlight of something at once, on the caller's thread.
class Window {
 public:
  void Enter() {
    absl::MutexLock lock(&mutex_);
    mutex_.Await(absl::Condition(+[](int* open) { return *open < kInFlight; }, &open_));
    ++open_;
  }
  void Leave() {
    absl::MutexLock lock(&mutex_);
    --open_;
  }
  void AwaitEmpty() {
    absl::MutexLock lock(&mutex_);
    mutex_.Await(absl::Condition(+[](int* open) { return *open == 0; }, &open_));
  }

 private:
  absl::Mutex mutex_;
  int open_ ABSL_GUARDED_BY(mutex_) = 0;
};

std::string IdOf(int run, int number) { return absl::StrFormat("%08x-0000-4000-8000-%012x", run, number); }

// About what a message_status webhook makes: 200 bytes of event, 250 of body.
NewEvent EventOf(int number) {
  NewEvent event;
  event.account = "default";
  event.session_id = "11111111-2222-4333-8444-555555555555";
  event.peer = "+966512345678";
  event.message_id = "wamid.HBgMOTY2NTEyMzQ1Njc4FQIAERgS";
  event.type = 2;
  event.status = 2;
  event.delivery_id = IdOf(1, number);
  event.event = std::string(200, 'e');
  event.raw_body = std::string(250, 'r');
  return event;
}

double BarePublish(const Servers& servers, int count) {
  natsConnection* connection = nullptr;
  jsCtx* js = nullptr;
  if (natsConnection_ConnectTo(&connection, servers.url.c_str()) != NATS_OK ||
      natsConnection_JetStream(&js, connection, nullptr) != NATS_OK) {
    Fail("bare nats.c cannot connect");
  }
  jsStreamConfig config;
  jsStreamConfig_Init(&config);
  const char* subjects[] = {"bare.>"};
  config.Name = "bare";
  config.Subjects = subjects;
  config.SubjectsLen = 1;
  config.Replicas = static_cast<int64_t>(servers.pids.size());
  // Servers that have just started elect a leader first.
  const absl::Time deadline = absl::Now() + absl::Seconds(20);
  while (js_AddStream(nullptr, js, &config, nullptr, nullptr) != NATS_OK) {
    if (absl::Now() > deadline) Fail("bare nats.c makes no stream");
    absl::SleepFor(absl::Milliseconds(100));
  }
  const std::string payload(580, 'x');
  const Meter meter(getpid(), servers);
  for (int i = 0; i < count; ++i) {
    jsPubOptions options;
    jsPubOptions_Init(&options);
    const std::string id = IdOf(0, i);
    options.MsgId = id.c_str();
    if (js_PublishAsync(js, "bare.default.message_status.11111111-2222-4333-8444-555555555555", payload.data(),
                        static_cast<int>(payload.size()), &options) != NATS_OK) {
      Fail("bare nats.c does not publish");
    }
  }
  if (js_PublishAsyncComplete(js, nullptr) != NATS_OK) Fail("bare nats.c is not acknowledged");
  const double rate = meter.Print("bare publish (nats.c)", count, 0);
  jsCtx_Destroy(js);
  natsConnection_Destroy(connection);
  return rate;
}

void Engine(const Servers& servers, int count, double bare) {
  prometheus::Registry registry;
  SystemClock clock;
  SystemRandom random;
  StoreOptions options;
  options.url = servers.url;
  options.nats.prefix = "bench";
  options.nats.synced = true;
  absl::StatusOr<Store> store = OpenStore(options, clock, random, registry);
  if (!store.ok()) Fail(store.status().ToString());
  std::atomic<int> failed{0};
  Window window;
  {
    const Meter meter(getpid(), servers);
    for (int i = 0; i < count; ++i) {
      window.Enter();
      store->log->Append(EventOf(i), [&](absl::StatusOr<Appended> appended) {
        if (!appended.ok()) ++failed;
        window.Leave();
      });
    }
    window.AwaitEmpty();
    meter.Print("EventLog, 2048 in flight", count, bare);
  }
  {
    const Meter meter(getpid(), servers);
    uint64_t after = 0;
    int read = 0;
    // What is in memory is only the newest part.
    while (true) {
      const absl::StatusOr<EventPage> page = store->log->Read(after, {});
      if (!page.ok()) Fail(page.status().ToString());
      read += static_cast<int>(page->events.size());
      if (page->end_of_log) break;
      after = page->events.back().sequence;
    }
    meter.Print("EventLog, read from memory", read, bare);
  }
  {
    const Meter meter(getpid(), servers);
    for (int i = 0; i < count; ++i) {
      window.Enter();
      std::vector<StateWrite> writes;
      writes.push_back({"claims", IdOf(2, i), std::string(200, 'c'), 0, clock.Now() + absl::Hours(24)});
      store->state->Write(std::move(writes), StateStore::Durability::kDurable,
                          [&](std::vector<absl::StatusOr<uint64_t>> results) {
                            if (!results.front().ok()) ++failed;
                            window.Leave();
                          });
    }
    window.AwaitEmpty();
    meter.Print("state, creates, 2048 in flight", count, bare);
  }
  {
    const Meter meter(getpid(), servers);
    for (int i = 0; i < count; ++i) {
      window.Enter();
      store->state->Get("claims", IdOf(2, i), [&](absl::StatusOr<std::optional<StateEntry>> entry) {
        if (!entry.ok() || !entry->has_value()) ++failed;
        window.Leave();
      });
    }
    window.AwaitEmpty();
    meter.Print("state, reads, 2048 in flight", count, bare);
  }
  if (failed > 0) Fail(absl::StrCat(failed.load(), " calls of the engine failed"));
  store->engine.reset();
  absl::StatusOr<Store> again = OpenStore(options, clock, random, registry);
  if (!again.ok()) Fail(again.status().ToString());
  const Meter meter(getpid(), servers);
  uint64_t after = 0;
  int read = 0;
  while (true) {
    const absl::StatusOr<EventPage> page = again->log->Read(after, {});
    if (!page.ok()) Fail(page.status().ToString());
    read += static_cast<int>(page->events.size());
    if (page->end_of_log) break;
    after = page->events.back().sequence;
  }
  meter.Print("EventLog, read from the server", read, bare);
}

GatewayProcess StartGateway(const Servers& servers, const std::string& folder, int number) {
  GatewayProcess::Options options;
  options.folder = absl::StrCat(folder, "/gateway-", number);
  std::filesystem::create_directories(options.folder);
  options.environment["GATEWAY_STORE"] = servers.url;
  auto gateway = GatewayProcess::Start(options);
  if (!gateway.ok()) Fail(gateway.status().ToString());
  return *std::move(gateway);
}

// Subscribers at one gateway that note how long each event took from the stream's time to here.
class Subscribers {
 public:
  Subscribers(const std::string& address, int count)
      : stub_(v1::EventService::NewStub(grpc::CreateChannel(address, grpc::InsecureChannelCredentials()))) {
    for (int i = 0; i < count; ++i) {
      contexts_.push_back(std::make_unique<grpc::ClientContext>());
      auto stream = stub_->SubscribeEvents(contexts_.back().get(), v1::SubscribeEventsRequest());
      v1::SubscribeEventsResponse started;
      if (!stream->Read(&started)) Fail("a stream does not start");
      threads_.emplace_back([this, stream = std::move(stream)] {
        v1::SubscribeEventsResponse frame;
        while (stream->Read(&frame)) Note(frame);
      });
    }
  }

  ~Subscribers() {
    for (auto& context : contexts_) context->TryCancel();
    for (std::thread& thread : threads_) thread.join();
  }

  // Waits until so many events came, counted over all streams; their latencies in milliseconds.
  std::vector<double> Take(size_t count) {
    absl::MutexLock lock(&mutex_);
    wanted_ = count;
    if (!mutex_.AwaitWithTimeout(absl::Condition(this, &Subscribers::HasAll), absl::Seconds(60))) {
      Fail("subscribers did not get everything");
    }
    return std::move(latencies_);
  }

 private:
  bool HasAll() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return latencies_.size() >= wanted_; }

  void Note(const v1::SubscribeEventsResponse& frame) {
    const double now_ms = absl::ToDoubleMilliseconds(absl::Now() - absl::UnixEpoch());
    absl::MutexLock lock(&mutex_);
    for (const v1::Delivery& delivery : frame.event_batch().deliveries()) {
      const auto& time = delivery.event().ingested_time();
      latencies_.push_back(now_ms - static_cast<double>(time.seconds()) * 1e3 - time.nanos() / 1e6);
    }
  }

  const std::unique_ptr<v1::EventService::Stub> stub_;
  std::vector<std::unique_ptr<grpc::ClientContext>> contexts_;
  absl::Mutex mutex_;
  std::vector<double> latencies_ ABSL_GUARDED_BY(mutex_);
  size_t wanted_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<std::thread> threads_;
};

void Gateways(const Servers& servers, const std::string& folder, int count, double bare) {
  GatewayProcess first = StartGateway(servers, folder, 1);
  PostDeliveries(MakeDeliveries(static_cast<size_t>(count) / 10, 1, "whsec_test"), first.webhook_address(), 64);
  for (const size_t connections : {64, 256}) {
    const std::vector<std::string> deliveries =
        MakeDeliveries(static_cast<size_t>(count), static_cast<int>(connections), "whsec_test");
    const Meter meter(first.process().pid(), servers);
    const WebhookLoad load = PostDeliveries(deliveries, first.webhook_address(), connections);
    if (load.refused > 0) Fail(absl::StrCat(load.refused, " webhooks were refused"));
    meter.Print(
        absl::StrCat("webhooks, ", connections, " connections, p99 ", absl::StrFormat("%.1f ms", load.p99_ms)).c_str(),
        count, bare);
  }
  GatewayProcess second = StartGateway(servers, folder, 2);
  const size_t events = std::min<size_t>(static_cast<size_t>(count), 4000);
  {
    // Its start reads the newest part of the log from the servers, which is no cost of the events after it.
    Subscribers stream(second.grpc_address(), 1);
    PostDeliveries(MakeDeliveries(events, 1000, "whsec_test"), first.webhook_address(), 4);
    stream.Take(events);
  }
  for (const int subscribers : {1, 200}) {
    Subscribers streams(second.grpc_address(), subscribers);
    const std::vector<std::string> deliveries = MakeDeliveries(events, 1000 + subscribers, "whsec_test");
    const Meter meter(second.process().pid(), servers);
    PostDeliveries(deliveries, first.webhook_address(), 4);
    std::vector<double> latencies = streams.Take(events * static_cast<size_t>(subscribers));
    meter.Print(absl::StrCat(subscribers, " subscribers at another gateway").c_str(), static_cast<int>(events), bare);
    std::sort(latencies.begin(), latencies.end());
    std::printf("%-34s p50 %.1f ms, p99 %.1f ms\n", "  commit to receive", latencies[latencies.size() / 2],
                latencies[latencies.size() * 99 / 100]);
  }
}

void Measure(const Servers& servers, const std::string& folder, int count) {
  std::printf("%-34s %10s %9s %14s %14s\n", "", "per second", "of bare", "CPU us each", "server us each");
  const double bare = BarePublish(servers, count);
  Engine(servers, count, bare);
  Gateways(servers, folder, count, bare);
}

int Main(int count, bool cluster) {
  const char* const parent = getenv("TMPDIR");
  std::string folder = absl::StrCat(parent == nullptr ? "." : parent, "/jetstream_bench_XXXXXX");
  if (mkdtemp(folder.data()) == nullptr) Fail("no folder for the server");
  folder = std::filesystem::absolute(folder);
  if (cluster) {
    const auto servers = NatsCluster::Start(folder);
    if (!servers.ok()) Fail(servers.status().ToString());
    NatsCluster& three = **servers;
    Measure({three.url(), {three.server(0).pid(), three.server(1).pid(), three.server(2).pid()}}, folder, count);
  } else {
    const auto server = NatsServer::Start({.folder = folder});
    if (!server.ok()) Fail(server.status().ToString());
    Measure({absl::StrCat("nats://", (*server)->address()), {(*server)->pid()}}, folder, count);
  }
  std::filesystem::remove_all(folder);
  return 0;
}

}  // namespace
}  // namespace aulm::gateway

int main(int argc, char** argv) {
  const int count = argc > 1 ? std::max(std::atoi(argv[1]), 1000) : 40'000;
  return aulm::gateway::Main(count, argc > 2 && std::atoi(argv[2]) == 3);
}
