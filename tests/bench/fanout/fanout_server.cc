// The server side of fanout_bench, in a process of its own so that its CPU and memory can be told from the clients':
//   fanout_server raw EVENTS BATCH           ready-made ByteBuffers of the same size, and nothing else: the floor
//   fanout_server ring EVENTS                the EventService with EVENTS in its ring
//   fanout_server disk EVENTS FOLDER         the EventService over SQLite, its ring empty
//   fanout_server live STREAMS RATE SECONDS FOLDER
//                                            over SQLite; once STREAMS streams are open, RATE events a second
// Prints "listening fanout ADDRESS" when ready; ends when it is killed.
#include <grpcpp/grpcpp.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "aulm/gateway/v1/event_service.grpc.pb.h"
#include "prometheus/registry.h"
#include "service/base/system_clock.h"
#include "service/base/system_random.h"
#include "service/rpc/event_service.h"
#include "service/storage/store.h"
#include "tests/support/fake_event_log.h"
#include "tests/unit/events/sample_events.h"

namespace aulm::gateway {
namespace {

// An event as they come: about 200 bytes as delivered. The stamp says when it was appended.
NewEvent BenchEvent(int number) {
  NewEvent event = InboundEvent(number, number % 50);
  v1::Event encoded;
  encoded.ParseFromString(event.event);
  encoded.mutable_inbound_message()->set_body(
      absl::StrCat("t=", absl::GetCurrentTimeNanos(), " Thank you, the parcel came today."));
  event.event = encoded.SerializeAsString();
  return event;
}

void Fill(EventLog& log, int events) {
  absl::Mutex mutex;
  int waiting = 0;
  for (int number = 1; number <= events; ++number) {
    {
      absl::MutexLock lock(&mutex);
      const auto room = [&waiting] { return waiting < 4000; };
      mutex.Await(absl::Condition(&room));
      ++waiting;
    }
    log.Append(BenchEvent(number), [&mutex, &waiting](const absl::StatusOr<Appended>& appended) {
      if (!appended.ok()) std::abort();
      absl::MutexLock lock(&mutex);
      --waiting;
    });
  }
  absl::MutexLock lock(&mutex);
  const auto all = [&waiting] { return waiting == 0; };
  mutex.Await(absl::Condition(&all));
}

// Serves until the process is killed.
[[noreturn]] void Serve(grpc::Service& service) {
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&service);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  std::printf("listening fanout 127.0.0.1:%d\n", port);
  std::fflush(stdout);
  server->Wait();
  std::exit(0);
}

// The floor: a stream of frames that are all there before the first call.
class RawService final : public v1::EventService::WithRawCallbackMethod_SubscribeEvents<v1::EventService::Service> {
 public:
  RawService(int events, int batch) {
    FakeEventLog log;
    Fill(log, events);
    ReadLimits limits;
    limits.max_events = static_cast<size_t>(batch);
    for (uint64_t after = 0; after < static_cast<uint64_t>(events);) {
      const auto page = EncodedPage::EncodeAll(7, after, *log.Read(after, limits));
      BatchFrame frame(static_cast<size_t>(batch), 1 << 20);
      for (size_t i = 0; i < page->events().size(); ++i) frame.Add(page, i);
      after = page->through().sequence;
      std::vector<grpc::Slice> slices;
      if (!frame.Finish({7, after, 1}).bytes.Dump(&slices).ok()) std::abort();
      std::string whole;
      for (const grpc::Slice& slice : slices) whole.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
      const grpc::Slice one(whole);
      frames_.emplace_back(&one, 1);
    }
  }

  grpc::ServerWriteReactor<grpc::ByteBuffer>* SubscribeEvents(grpc::CallbackServerContext*,
                                                              const grpc::ByteBuffer*) override {
    class Writer final : public grpc::ServerWriteReactor<grpc::ByteBuffer> {
     public:
      explicit Writer(const std::vector<grpc::ByteBuffer>& frames) : frames_(frames) { Write(); }
      void OnWriteDone(bool ok) override {
        if (ok) {
          Write();
        } else {
          Finish(grpc::Status::CANCELLED);
        }
      }
      void OnDone() override { delete this; }

     private:
      void Write() {
        if (next_ == frames_.size()) {
          Finish(grpc::Status::OK);
        } else {
          StartWrite(&frames_[next_++]);
        }
      }
      const std::vector<grpc::ByteBuffer>& frames_;
      size_t next_ = 0;
    };
    return new Writer(frames_);
  }

 private:
  std::vector<grpc::ByteBuffer> frames_;
};

// The product's part: hub and service over a log.
struct Gateway {
  Gateway(EventLog& log, Clock& clock, Random& random, size_t ring_bytes)
      : callers(clock, registry),
        events_metrics(registry),
        rpc_metrics(registry),
        hub(log, clock, events_metrics, Hub(ring_bytes)) {
    if (!hub.Start().ok()) std::abort();
    service = std::make_unique<EventService>(CallEnvironment{callers, clock, absl::Seconds(30)}, EventServiceOptions(),
                                             hub, events_metrics, rpc_metrics, random);
  }
  static EventHubOptions Hub(size_t ring_bytes) {
    EventHubOptions options;
    options.ring_bytes = ring_bytes;
    return options;
  }

  prometheus::Registry registry;
  CallerDirectory callers;
  EventsMetrics events_metrics;
  RpcMetrics rpc_metrics;
  EventHub hub;
  std::unique_ptr<EventService> service;
};

struct Disk {
  explicit Disk(const std::string& folder) {
    StoreOptions options;
    options.url = absl::StrCat("sqlite://", folder);
    absl::StatusOr<Store> opened = OpenStore(options, clock, random, registry);
    if (!opened.ok()) std::abort();
    store = *std::move(opened);
  }
  SystemClock clock;
  SystemRandom random;
  prometheus::Registry registry;
  Store store;
};

[[noreturn]] void ServeRing(int events) {
  SystemClock clock;
  SystemRandom random;
  FakeEventLog log(&clock);
  Gateway gateway(log, clock, random, size_t{1} << 30);
  Fill(log, events);
  while (gateway.hub.head().sequence < static_cast<uint64_t>(events)) usleep(1000);
  Serve(*gateway.service);
}

[[noreturn]] void ServeDisk(int events, const std::string& folder) {
  Disk disk(folder);
  Fill(*disk.store.log, events);
  Gateway gateway(*disk.store.log, disk.clock, disk.random, 32 << 20);
  Serve(*gateway.service);
}

[[noreturn]] void ServeLive(double streams, int rate, int seconds, const std::string& folder) {
  Disk disk(folder);
  Gateway gateway(*disk.store.log, disk.clock, disk.random, 32 << 20);
  std::thread appender([&] {
    while (gateway.events_metrics.streams->Value() < streams) usleep(1000);
    usleep(500'000);
    absl::Time due = absl::Now();
    for (int number = 1; number <= rate * seconds; ++number) {
      absl::SleepFor(due - absl::Now());
      disk.store.log->Append(BenchEvent(number), [](const absl::StatusOr<Appended>&) {});
      due += absl::Seconds(1) / rate;
    }
  });
  appender.detach();
  Serve(*gateway.service);
}

int Main(const std::vector<std::string>& words) {
  const auto number = [&words](size_t i) { return std::atoi(words[i].c_str()); };
  if (words.size() == 3 && words[0] == "raw") {
    RawService service(number(1), number(2));
    Serve(service);
  }
  if (words.size() == 2 && words[0] == "ring") ServeRing(number(1));
  if (words.size() == 3 && words[0] == "disk") ServeDisk(number(1), words[2]);
  if (words.size() == 5 && words[0] == "live") ServeLive(number(1), number(2), number(3), words[4]);
  std::fprintf(stderr, "usage: see the head of fanout_server.cc\n");
  return 2;
}

}  // namespace
}  // namespace aulm::gateway

int main(int argc, char** argv) {
  // As the gateway's main does: Debian's Abseil has its detector on, which takes a global lock for every mutex.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  return aulm::gateway::Main({argv + 1, argv + argc});
}
