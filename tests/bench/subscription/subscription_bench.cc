// What a SHARED subscription can do, over gRPC against a gateway of its own: subscription_bench [events] (default
// 1000000). A backlog of so many events is drained by 8 consumers that acknowledge each frame, beside a bare gRPC
// server that streams frames of the same size and answers as many calls without doing anything; with the gateway's
// memory as it goes. Then what a silent consumer costs its events, and what a slow handler costs the others.
#include <grpcpp/grpcpp.h>
#include <stdlib.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/synchronization/mutex.h"
#include "aulm/gateway/v1/event_service.grpc.pb.h"
#include "aulm/gateway/v1/subscription_service.grpc.pb.h"
#include "prometheus/registry.h"
#include "service/base/system_clock.h"
#include "service/base/system_random.h"
#include "service/storage/store.h"
#include "tests/support/gateway_process.h"

namespace aulm::gateway {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr int kConsumers = 8;
constexpr int kConversations = 50'000;
constexpr int kFrameEvents = 256;
constexpr int kOutstanding = 1024;

double SecondsSince(SteadyClock::time_point begun) {
  return std::chrono::duration<double>(SteadyClock::now() - begun).count();
}

[[noreturn]] void Fail(absl::string_view what) {
  absl::FPrintF(stderr, "subscription_bench: %s\n", what);
  std::exit(1);
}

NewEvent SampleEvent(int number) {
  NewEvent event;
  event.account = "default";
  event.session_id = "0c4f7b5e-9f5c-4c87-a5a2-0d6d1f1a2b3c";
  event.peer = absl::StrFormat("+96650%07d", number % kConversations);
  event.message_id = absl::StrCat("m", number);
  event.type = v1::EVENT_TYPE_INBOUND_MESSAGE;
  event.delivery_id = absl::StrFormat("00000000-0000-4000-8000-%012d", number);
  v1::Event encoded;
  encoded.set_delivery_id(event.delivery_id);
  encoded.set_account(event.account);
  encoded.set_session_id(event.session_id);
  encoded.set_type(v1::EVENT_TYPE_INBOUND_MESSAGE);
  encoded.set_event_name("inbound_message");
  encoded.mutable_inbound_message()->set_from(event.peer);
  encoded.mutable_inbound_message()->set_message_id(event.message_id);
  encoded.mutable_inbound_message()->set_message_type("text");
  encoded.mutable_inbound_message()->set_body("hello from the other side");
  event.event = encoded.SerializeAsString();
  return event;
}

// A log with so many events, as webhooks would have left it.
void FillLog(const std::string& folder, int events) {
  SystemClock clock;
  SystemRandom random;
  prometheus::Registry registry;
  StoreOptions options;
  options.url = absl::StrCat("sqlite://", folder);
  absl::StatusOr<Store> store = OpenStore(options, clock, random, registry);
  if (!store.ok()) Fail(store.status().ToString());
  absl::Mutex mutex;
  int under_way = 0;
  for (int number = 0; number < events; ++number) {
    {
      absl::MutexLock lock(&mutex);
      mutex.Await(absl::Condition(+[](int* waiting) { return *waiting < 4000; }, &under_way));
      ++under_way;
    }
    store->log->Append(SampleEvent(number), [&](const absl::StatusOr<Appended>& appended) {
      if (!appended.ok()) Fail(appended.status().ToString());
      absl::MutexLock lock(&mutex);
      --under_way;
    });
  }
  absl::MutexLock lock(&mutex);
  mutex.Await(absl::Condition(+[](int* waiting) { return *waiting == 0; }, &under_way));
}

// Resident memory of a process, in MiB.
double ResidentMiB(int process) {
  std::ifstream status(absl::StrCat("/proc/", process, "/status"));
  for (std::string line; std::getline(status, line);) {
    double kib = 0;
    if (absl::StartsWith(line, "VmRSS:") && std::sscanf(line.c_str(), "VmRSS: %lf", &kib) == 1) return kib / 1024;
  }
  return 0;
}

// User and system time of a process, in seconds.
double CpuSeconds(int process) {
  std::ifstream file(absl::StrCat("/proc/", process, "/stat"));
  std::string stat((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  const size_t name_end = stat.rfind(')');
  long user = 0, system = 0;
  if (name_end == std::string::npos ||
      std::sscanf(stat.c_str() + name_end + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %ld %ld", &user, &system) !=
          2) {
    return 0;
  }
  return static_cast<double>(user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

// Streams frames and answers acknowledgements, and does nothing else: what gRPC alone takes.
class BareService final : public v1::EventService::WithRawCallbackMethod_SubscribeEvents<
                              v1::EventService::WithCallbackMethod_AcknowledgeEvents<v1::EventService::Service>> {
 public:
  explicit BareService(int frames) : left_(frames) {
    v1::SubscribeEventsResponse response;
    for (int i = 0; i < kFrameEvents; ++i) {
      v1::Delivery& delivery = *response.mutable_event_batch()->add_deliveries();
      delivery.mutable_event()->ParseFromString(SampleEvent(i).event);
      delivery.set_ack_token(std::string(30, 't'));
      delivery.set_attempt(1);
    }
    const std::string bytes = response.SerializeAsString();
    const grpc::Slice slice(bytes);
    frame_ = grpc::ByteBuffer(&slice, 1);
  }

  grpc::ServerWriteReactor<grpc::ByteBuffer>* SubscribeEvents(grpc::CallbackServerContext*,
                                                              const grpc::ByteBuffer*) override {
    return new Writer(*this);
  }
  grpc::ServerUnaryReactor* AcknowledgeEvents(grpc::CallbackServerContext* context,
                                              const v1::AcknowledgeEventsRequest* request,
                                              v1::AcknowledgeEventsResponse* response) override {
    for (const v1::Settlement& settlement : request->settlements()) {
      v1::SettlementResult& result = *response->add_results();
      result.set_ack_token(settlement.ack_token());
      result.set_result(v1::SETTLEMENT_EFFECT_OK);
    }
    grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }

 private:
  class Writer final : public grpc::ServerWriteReactor<grpc::ByteBuffer> {
   public:
    explicit Writer(BareService& service) : service_(service) { Next(); }
    void OnWriteDone(bool ok) override { ok ? Next() : Finish(grpc::Status::CANCELLED); }
    void OnDone() override { delete this; }

   private:
    void Next() {
      if (service_.left_.fetch_sub(1) > 0) {
        StartWrite(&service_.frame_);
      } else {
        Finish(grpc::Status::OK);
      }
    }
    BareService& service_;
  };

  std::atomic<int> left_;
  grpc::ByteBuffer frame_;
};

// One consumer that acknowledges each frame and then asks for the next; `handle` is called for each frame before. Ends
// when `done` says so, or the stream does.
void Consume(const std::string& address, const std::string& subscription, uint32_t outstanding, uint32_t batch,
             const std::function<bool(int events)>& handle) {
  const auto channel = grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), [] {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    return arguments;
  }());
  const auto stub = v1::EventService::NewStub(channel);
  grpc::ClientContext context;
  v1::SubscribeEventsRequest request;
  request.set_subscription(subscription);
  request.set_max_outstanding_events(outstanding);
  request.set_max_batch_events(batch);
  request.mutable_heartbeat_interval()->set_seconds(1);
  const auto reader = stub->SubscribeEvents(&context, request);
  v1::SubscribeEventsResponse frame;
  bool more = true;
  while (more && reader->Read(&frame)) {
    const int events = frame.event_batch().deliveries_size();
    more = handle(events);
    if (events == 0) continue;
    v1::AcknowledgeEventsRequest acknowledge;
    acknowledge.set_subscription(subscription);
    for (const v1::Delivery& delivery : frame.event_batch().deliveries()) {
      v1::Settlement& settlement = *acknowledge.add_settlements();
      settlement.set_ack_token(delivery.ack_token());
      settlement.set_action(v1::SETTLEMENT_ACTION_ACK);
    }
    grpc::ClientContext acknowledging;
    v1::AcknowledgeEventsResponse answer;
    const grpc::Status status = stub->AcknowledgeEvents(&acknowledging, acknowledge, &answer);
    if (!status.ok()) Fail(absl::StrCat("acknowledging: ", status.error_message()));
  }
  context.TryCancel();
  reader->Finish();
}

void Create(const std::string& address, const std::string& name, int ack_deadline_seconds) {
  const auto stub = v1::SubscriptionService::NewStub(grpc::CreateChannel(address, grpc::InsecureChannelCredentials()));
  grpc::ClientContext context;
  v1::CreateSubscriptionRequest request;
  request.mutable_subscription()->set_name(name);
  request.mutable_subscription()->set_mode(v1::SUBSCRIPTION_MODE_SHARED);
  request.mutable_subscription()->set_position(v1::START_POSITION_EARLIEST);
  request.mutable_subscription()->mutable_ack_deadline()->set_seconds(ack_deadline_seconds);
  request.mutable_subscription()->mutable_retry_delay()->set_seconds(0);
  v1::CreateSubscriptionResponse response;
  const grpc::Status status = stub->CreateSubscription(&context, request, &response);
  if (!status.ok()) Fail(status.error_message());
}

// Takes `events` with 8 consumers; events a second. `each_tenth` is called on the way.
double Drain(const std::string& address, const std::string& name, int events, const std::function<void(int)>& tenth) {
  std::atomic<int> taken{0};
  std::atomic<int> told{0};
  std::vector<std::thread> consumers;
  const auto begun = SteadyClock::now();
  for (int i = 0; i < kConsumers; ++i) {
    consumers.emplace_back([&] {
      Consume(address, name, kOutstanding, kFrameEvents, [&](int came) {
        const int now = taken += came;
        int last = told;
        while (now >= (last + 1) * (events / 10) && last < 10) {
          if (told.compare_exchange_strong(last, last + 1)) tenth(last + 1);
        }
        return now < events;
      });
    });
  }
  for (std::thread& consumer : consumers) consumer.join();
  return events / SecondsSince(begun);
}

int Run(const std::string& folder, int events) {
  FillLog(absl::StrCat(folder, "/data"), events);
  GatewayProcess::Options options;
  options.folder = folder;
  options.environment["GATEWAY_STORE"] = absl::StrCat("sqlite://", folder, "/data");
  auto gateway = GatewayProcess::Start(options);
  if (!gateway.ok()) Fail(gateway.status().ToString());
  const int process = gateway->process().pid();

  double bare;
  {
    BareService service(events / kFrameEvents);
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(&service);
    const auto server = builder.BuildAndStart();
    bare = Drain(absl::StrCat("127.0.0.1:", port), "bare", events / kFrameEvents * kFrameEvents, [](int) {});
  }

  Create(gateway->grpc_address(), "drain", 30);
  std::vector<double> resident(11);
  resident[0] = ResidentMiB(process);
  const double cpu = CpuSeconds(process);
  const double drained = Drain(gateway->grpc_address(), "drain", events,
                               [&](int tenth) { resident[static_cast<size_t>(tenth)] = ResidentMiB(process); });
  const double cpu_us = (CpuSeconds(process) - cpu) / events * 1e6;
  absl::PrintF("%d consumers drain %d events in %d conversations, acknowledging each frame\n", kConsumers, events,
               kConversations);
  absl::PrintF("  bare gRPC, frames and answers alone  %9.0f events/s\n", bare);
  absl::PrintF(
      "  subscription                         %9.0f events/s  (%.2f of bare; %.1f us of the gateway's CPU each)\n",
      drained, drained / bare, cpu_us);
  absl::PrintF("  gateway's memory on the way, MiB    ");
  for (const double mib : resident) absl::PrintF(" %.0f", mib);
  absl::PrintF("\n");

  // A consumer that takes and says nothing; then one that waits for what it had.
  constexpr int kDeadlineSeconds = 2;
  Create(gateway->grpc_address(), "silent", kDeadlineSeconds);
  const auto stub =
      v1::EventService::NewStub(grpc::CreateChannel(gateway->grpc_address(), grpc::InsecureChannelCredentials()));
  grpc::ClientContext silent;
  v1::SubscribeEventsRequest request;
  request.set_subscription("silent");
  request.set_max_outstanding_events(100);
  const auto reader = stub->SubscribeEvents(&silent, request);
  v1::SubscribeEventsResponse frame;
  while (reader->Read(&frame) && !frame.has_event_batch()) {
  }
  const std::string first = frame.event_batch().deliveries(0).event().delivery_id();
  const auto taken = SteadyClock::now();
  double again = 0;
  {
    grpc::ClientContext waiting;
    request.set_max_outstanding_events(10'000);
    const auto heir = stub->SubscribeEvents(&waiting, request);
    while (again == 0 && heir->Read(&frame)) {
      for (const v1::Delivery& delivery : frame.event_batch().deliveries()) {
        if (delivery.event().delivery_id() == first) again = SecondsSince(taken);
      }
    }
    waiting.TryCancel();
    heir->Finish();
  }
  silent.TryCancel();
  reader->Finish();
  absl::PrintF("a silent consumer's first event came again after %.2f s, its deadline being %d s\n", again,
               kDeadlineSeconds);

  // Seven quick consumers with and without an eighth that takes half a second an event.
  const auto quick = [&](bool with_slow, const std::string& name) {
    Create(gateway->grpc_address(), name, 30);
    std::atomic<int> taken_by_quick{0};
    std::atomic<bool> over{false};
    std::vector<std::thread> consumers;
    if (with_slow) {
      consumers.emplace_back([&] {
        Consume(gateway->grpc_address(), name, 1, 1, [&](int) {
          std::this_thread::sleep_for(std::chrono::milliseconds(500));  // the handler that is slow
          return !over.load();
        });
      });
    }
    const int goal = events / 5;
    const auto begun = SteadyClock::now();
    std::vector<std::thread> quick_ones;
    for (int i = 0; i < kConsumers - 1; ++i) {
      quick_ones.emplace_back([&] {
        Consume(gateway->grpc_address(), name, kOutstanding, kFrameEvents,
                [&](int came) { return (taken_by_quick += came) < goal; });
      });
    }
    for (std::thread& consumer : quick_ones) consumer.join();
    const double rate = goal / SecondsSince(begun);
    over = true;
    for (std::thread& consumer : consumers) consumer.join();
    return rate;
  };
  const double alone = quick(false, "quick");
  const double beside = quick(true, "beside-slow");
  absl::PrintF("seven quick consumers take %.0f events/s; beside one that takes 500 ms an event %.0f (%.2f)\n", alone,
               beside, beside / alone);
  return 0;
}

}  // namespace
}  // namespace aulm::gateway

int main(int argc, char** argv) {
  int events = 1'000'000;
  if (argc > 1 && (!absl::SimpleAtoi(argv[1], &events) || events < 10'000)) {
    std::fputs("usage: subscription_bench [events, at least 10000]\n", stderr);
    return 2;
  }
  const char* const place = std::getenv("TMPDIR");
  std::string folder = absl::StrCat(place == nullptr ? "." : place, "/subscription_bench_XXXXXX");
  if (mkdtemp(folder.data()) == nullptr) {
    std::perror("subscription_bench: a folder of its own");
    return 1;
  }
  const int status = aulm::gateway::Run(folder, events);
  std::filesystem::remove_all(folder);
  return status;
}
