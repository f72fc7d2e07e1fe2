// How cost grows with size: what is to stay flat, and does it?
//   log    events in the log → time to open the store and to start the gateway, to append, to resume at its end, and
//          what it takes on the disk
//   image  bytes of an image → CPU of sending it
//
// Usage: curves_bench [quick] [log] [image]. Its stores are folders below TMPDIR, else the working directory's; the
// largest log takes 6 GB.
#include <grpcpp/grpcpp.h>
#include <stdlib.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "aulm/gateway/v1/event_service.grpc.pb.h"
#include "aulm/gateway/v1/messaging_service.grpc.pb.h"
#include "prometheus/registry.h"
#include "service/base/system_clock.h"
#include "service/base/system_random.h"
#include "service/storage/store.h"
#include "tests/bench/support/bench_report.h"
#include "tests/bench/support/server_process.h"
#include "tests/support/gateway_process.h"

namespace aulm::gateway {
namespace {

[[noreturn]] void Fail(const std::string& what) {
  std::fprintf(stderr, "curves_bench: %s\n", what.c_str());
  std::exit(1);
}

NewEvent EventOf(uint64_t number) {
  const uint64_t mixed = number * 0x9e3779b97f4a7c15u;
  NewEvent event;
  event.account = "default";
  event.session_id = "11111111-2222-4333-8444-555555555555";
  event.peer = absl::StrCat("+9665", 10'000'000 + number % 5000);
  event.message_id = absl::StrFormat("3EB0%016X", mixed);
  event.type = v1::EVENT_TYPE_INBOUND_MESSAGE;
  event.delivery_id = absl::StrFormat("%08x-%04x-4%03x-8%03x-%012x", mixed >> 32, mixed >> 16 & 0xffff, mixed & 0xfff,
                                      number & 0xfff, number);
  v1::Event encoded;
  encoded.set_delivery_id(event.delivery_id);
  encoded.set_account(event.account);
  encoded.set_session_id(event.session_id);
  encoded.set_type(v1::EVENT_TYPE_INBOUND_MESSAGE);
  encoded.mutable_inbound_message()->set_from(event.peer);
  encoded.mutable_inbound_message()->set_body("Thank you, the parcel came today.");
  event.event = encoded.SerializeAsString();
  event.raw_body = std::string(250, 'r');
  return event;
}

// Milliseconds of `what`.
template <typename What>
double Milliseconds(What what) {
  const absl::Time begun = absl::Now();
  what();
  return absl::ToDoubleMilliseconds(absl::Now() - begun);
}

class LogCurve {
 public:
  explicit LogCurve(std::string folder) : folder_(std::move(folder)) {}

  void Row(BenchReport& report, uint64_t events) {
    {
      const Opened store = Open();
      Append(*store.store.log, events - appended_);
    }
    // A start and an end in between: what is measured is not what memory still holds.
    Opened opened;
    const double open_ms = Milliseconds([&] { opened = Open(); });
    EventLog& log = *opened.store.log;
    std::vector<double> appends;
    for (int i = 0; i < 200; ++i) appends.push_back(Milliseconds([&] { Append(log, 1); }));
    std::vector<double> resumes;
    for (int i = 0; i < 200; ++i) {
      resumes.push_back(Milliseconds([&] {
        if (!log.Read(log.Info().head - 10, {}).ok()) Fail("a read failed");
      }));
    }
    opened = Opened();
    std::unique_ptr<GatewayProcess> gateway;
    const double start_ms = Milliseconds([&] { gateway = StartGateway(); });
    const double resident_mb = static_cast<double>(ResidentBytesOf(gateway->process().pid())) / (1 << 20);
    gateway.reset();
    report.Row(
        {{"events", absl::StrCat(events)}},
        {{"append_ms", Median(appends)},
         {"resume_ms", Median(resumes)},
         {"open_ms", open_ms},
         {"start_ms", start_ms},
         {"resident_mb", resident_mb},
         {"disk_mb", static_cast<double>(std::filesystem::file_size(folder_ + "/store/gateway.db")) / (1 << 20)}});
  }

 private:
  struct Opened {
    std::unique_ptr<prometheus::Registry> registry;
    Store store;
    Opened() = default;
    Opened(Opened&&) = default;
    Opened& operator=(Opened&& other) noexcept {  // the store goes before the registry that it counts in
      store = std::move(other.store);
      registry = std::move(other.registry);
      return *this;
    }
  };

  Opened Open() {
    StoreOptions options;
    options.url = absl::StrCat("sqlite://", folder_, "/store");
    Opened opened;
    opened.registry = std::make_unique<prometheus::Registry>();
    absl::StatusOr<Store> store = OpenStore(options, clock_, random_, *opened.registry);
    if (!store.ok()) Fail(store.status().ToString());
    opened.store = *std::move(store);
    return opened;
  }

  std::unique_ptr<GatewayProcess> StartGateway() {
    GatewayProcess::Options options;
    options.folder = folder_;
    auto started = GatewayProcess::Start(options);
    if (!started.ok()) Fail(started.status().ToString());
    return std::make_unique<GatewayProcess>(*std::move(started));
  }

  void Append(EventLog& log, uint64_t count) {
    absl::Mutex mutex;
    uint64_t open = 0;
    for (uint64_t i = 0; i < count; ++i) {
      {
        absl::MutexLock lock(&mutex);
        const auto has_room = [&open] { return open < 1000; };
        mutex.Await(absl::Condition(&has_room));
        ++open;
      }
      log.Append(EventOf(++appended_), [&](const absl::StatusOr<Appended>& appended) {
        if (!appended.ok()) Fail(appended.status().ToString());
        absl::MutexLock lock(&mutex);
        --open;
      });
    }
    absl::MutexLock lock(&mutex);
    const auto all = [&open] { return open == 0; };
    mutex.Await(absl::Condition(&all));
  }

  const std::string folder_;
  SystemClock clock_;
  SystemRandom random_;
  uint64_t appended_ = 0;
};

void Images(BenchReport& report, const std::string& folder) {
  report.Begin("image", "Sending an image of so many bytes (one at a time)");
  const ServerProcess upstream({BinaryPath("fixed_upstream")});
  GatewayProcess::Options options;
  options.folder = folder;
  options.aulm_base_url = absl::StrCat("http://", upstream.address());
  auto gateway = GatewayProcess::Start(options);
  if (!gateway.ok()) Fail(gateway.status().ToString());
  auto stub =
      v1::MessagingService::NewStub(grpc::CreateChannel(gateway->grpc_address(), grpc::InsecureChannelCredentials()));
  for (const size_t kilobytes : {1, 16, 128, 1024, 5120}) {
    v1::SendImageRequest request;
    request.set_session_id("11111111-1111-4111-8111-111111111111");
    request.set_to("+966512345678");
    std::string bytes = "\x89PNG\r\n\x1a\n";
    bytes.resize(kilobytes * 1024, 'x');
    request.mutable_image_data()->set_data(bytes);
    request.mutable_image_data()->set_mime_type("image/png");
    const int calls = kilobytes > 500 ? 40 : 200;
    std::vector<double> times;
    const absl::Duration before = CpuOf(gateway->process().pid());
    for (int i = 0; i < calls; ++i) {
      times.push_back(Milliseconds([&] {
        grpc::ClientContext context;
        v1::SendImageResponse response;
        const grpc::Status status = stub->SendImage(&context, request, &response);
        if (!status.ok()) Fail(status.error_message());
      }));
    }
    const double cpu = absl::ToDoubleMilliseconds(CpuOf(gateway->process().pid()) - before) / calls;
    report.Row({{"kilobytes", absl::StrCat(kilobytes)}},
               {{"p50_ms", Median(times)},
                {"cpu_ms", cpu},
                {"cpu_us/kb", cpu * 1000 / static_cast<double>(kilobytes)},
                {"resident_mb", static_cast<double>(ResidentBytesOf(gateway->process().pid())) / (1 << 20)}});
  }
}

int Main(std::set<std::string> words) {
  const bool quick = words.erase("quick") > 0;
  const auto wanted = [&words](const char* part) { return words.empty() || words.count(part) > 0; };
  const char* const parent = getenv("TMPDIR");
  std::string folder = absl::StrCat(parent == nullptr ? "." : parent, "/curves_bench_XXXXXX");
  if (mkdtemp(folder.data()) == nullptr) Fail("no folder for the stores");
  {
    BenchReport report("curves");
    if (wanted("log")) {
      std::filesystem::create_directories(folder + "/log");
      LogCurve curve(folder + "/log");
      report.Begin("log", "How the log's size shows");
      for (const uint64_t events : {1'000, 10'000, 100'000, 1'000'000, 3'000'000, 10'000'000}) {
        if (quick && events > 100'000) break;
        curve.Row(report, events);
      }
    }
    std::filesystem::create_directories(folder + "/image");
    if (wanted("image")) Images(report, folder + "/image");
  }
  std::filesystem::remove_all(folder);
  return 0;
}

}  // namespace
}  // namespace aulm::gateway

int main(int argc, char** argv) { return aulm::gateway::Main(std::set<std::string>(argv + 1, argv + argc)); }
