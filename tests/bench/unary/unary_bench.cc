// What a proxied SendText costs, beside its floors in the same run on the same cores:
//   bare echo     a gRPC callback server that answers from memory
//   bare proxy    callback server → one curl thread → the fixed upstream, and nothing else
//   aulm-gateway  the product, with every check, log and metric
//   the peers     the same gateway as a team would write it in an afternoon, in Go and in Node, where ./dev bench built
//   them
// The upstream is a fixed-answer server; the load comes from h2load (several connections, many streams) and, for the
// latency of a single call at a time, from a blocking stub. CPU is the server process's own (user + system).
//
// Usage: unary_bench [calls per run, 60000 by default]. Needs h2load (Debian: nghttp2-client) and its neighbours in the
// folder of the built programs.
#include <grpcpp/grpcpp.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "aulm/gateway/v1/messaging_service.grpc.pb.h"
#include "tests/bench/peers/peers.h"
#include "tests/support/child_process.h"
#include "tests/support/gateway_process.h"

namespace aulm::gateway {
namespace {

constexpr absl::Duration kStartLimit = absl::Seconds(10);
constexpr int kLatencyCalls = 3000;

struct Load {
  int connections;
  int streams;  // a connection
};

struct Figures {
  double calls_per_second = 0;
  double cpu_us_per_call = 0;
};

v1::SendTextRequest Request() {
  v1::SendTextRequest request;
  request.set_session_id("11111111-1111-4111-8111-111111111111");
  request.set_to("+966512345678");
  request.set_body("Your order 4711 has left the warehouse and will be with you tomorrow.");
  return request;
}

// User and system time that the process has used.
absl::Duration CpuOf(pid_t pid) {
  std::ifstream stat(absl::StrCat("/proc/", pid, "/stat"));
  std::string text((std::istreambuf_iterator<char>(stat)), std::istreambuf_iterator<char>());
  const std::vector<std::string> fields = absl::StrSplit(text.substr(text.rfind(')') + 2), ' ');
  int64_t user = 0;
  int64_t system = 0;
  if (!absl::SimpleAtoi(fields[11], &user) || !absl::SimpleAtoi(fields[12], &system)) return absl::ZeroDuration();
  return absl::Seconds(static_cast<double>(user + system) / static_cast<double>(sysconf(_SC_CLK_TCK)));
}

// The address in "listening <what> <address>".
std::string AddressOf(ChildProcess& child) {
  auto line = child.ReadLine(kStartLimit);
  if (!line.ok()) {
    std::fprintf(stderr, "a program did not start: %s\n", line.status().ToString().c_str());
    std::exit(1);
  }
  return line->substr(line->rfind(' ') + 1);
}

ChildProcess StartOrExit(const std::vector<std::string>& command) {
  auto child = ChildProcess::Start(command, {});
  if (!child.ok()) {
    std::fprintf(stderr, "%s\n", child.status().ToString().c_str());
    std::exit(1);
  }
  return *std::move(child);
}

// One gRPC message as it stands in an HTTP/2 body: a flag, a length, the bytes.
std::string WriteMessageFile() {
  const std::string message = Request().SerializeAsString();
  std::string path = absl::StrCat("/tmp/unary_bench_", getpid());
  std::ofstream file(path, std::ios::binary);
  const auto size = static_cast<uint32_t>(message.size());
  const std::array<char, 5> head = {0, static_cast<char>(size >> 24), static_cast<char>(size >> 16),
                                    static_cast<char>(size >> 8), static_cast<char>(size)};
  file.write(head.data(), head.size());
  file << message;
  return path;
}

std::optional<Figures> Run(const std::string& address, pid_t server, const Load& load, int calls,
                           const std::string& message_file) {
  const std::string command =
      absl::StrCat("h2load -n ", calls, " -c ", load.connections, " -m ", load.streams, " -d ", message_file,
                   " -H 'content-type: application/grpc' -H 'te: trailers' http://", address,
                   "/aulm.gateway.v1.MessagingService/SendText 2>&1");
  const absl::Duration before = CpuOf(server);
  std::FILE* pipe = popen(command.c_str(), "r");
  std::string output;
  std::array<char, 4096> buffer;
  while (const size_t got = std::fread(buffer.data(), 1, buffer.size(), pipe)) output.append(buffer.data(), got);
  pclose(pipe);
  const absl::Duration used = CpuOf(server) - before;
  Figures figures;
  const size_t at = output.find("finished in ");
  if (at == std::string::npos || output.find(absl::StrCat(calls, " succeeded")) == std::string::npos) {
    std::fprintf(stderr, "h2load failed:\n%s\n", output.c_str());
    return std::nullopt;
  }
  const std::vector<std::string> words = absl::StrSplit(output.substr(at, 120), ' ');
  if (!absl::SimpleAtod(words[3], &figures.calls_per_second)) return std::nullopt;
  figures.cpu_us_per_call = absl::ToDoubleMicroseconds(used) / calls;
  return figures;
}

// The median time of one blocking call after the other.
double MedianMicroseconds(const std::string& address) {
  auto stub = v1::MessagingService::NewStub(grpc::CreateChannel(address, grpc::InsecureChannelCredentials()));
  std::vector<double> times;
  for (int i = 0; i < kLatencyCalls; ++i) {
    grpc::ClientContext context;
    v1::SendTextResponse response;
    const absl::Time start = absl::Now();
    const grpc::Status status = stub->SendText(&context, Request(), &response);
    times.push_back(absl::ToDoubleMicroseconds(absl::Now() - start));
    if (!status.ok()) {
      std::fprintf(stderr, "a call failed: %s\n", status.error_message().c_str());
      std::exit(1);
    }
  }
  std::nth_element(times.begin(), times.begin() + kLatencyCalls / 2, times.end());
  return times[kLatencyCalls / 2];
}

int Main(int calls) {
  ChildProcess upstream = StartOrExit({BinaryPath("fixed_upstream")});
  const std::string upstream_address = AddressOf(upstream);
  ChildProcess echo = StartOrExit({BinaryPath("bare_echo")});
  const std::string echo_address = AddressOf(echo);
  ChildProcess proxy = StartOrExit({BinaryPath("bare_proxy"), upstream_address});
  const std::string proxy_address = AddressOf(proxy);
  GatewayProcess::Options options;
  options.folder = "/tmp/unary_bench_store_XXXXXX";
  if (mkdtemp(options.folder.data()) == nullptr) return 1;
  options.aulm_base_url = absl::StrCat("http://", upstream_address);
  auto gateway = GatewayProcess::Start(options);
  if (!gateway.ok()) {
    std::fprintf(stderr, "%s\n", gateway.status().ToString().c_str());
    return 1;
  }
  struct Row {
    const char* name;
    std::string address;
    pid_t pid;
  };
  std::vector<Row> rows = {{"bare echo", echo_address, echo.pid()},
                           {"bare proxy", proxy_address, proxy.pid()},
                           {"aulm-gateway", gateway->grpc_address(), gateway->process().pid()}};
  const pid_t ours = gateway->process().pid();
  const std::vector<Peer> peers = StartPeers(options.folder, options.aulm_base_url, options.webhook_secret);
  for (const Peer& peer : peers) rows.push_back({peer.name.c_str(), peer.grpc_address, peer.process.pid()});
  const std::string message_file = WriteMessageFile();
  std::printf("%-14s %8s %12s %14s %18s %20s\n", "SendText", "load", "calls/s", "CPU us/call", "CPU / bare proxy",
              "CPU / aulm-gateway");
  for (const Load load : {Load{4, 8}, Load{4, 16}, Load{4, 50}}) {
    double proxy_cpu = 0;
    double our_cpu = 0;
    for (const Row& row : rows) {
      Run(row.address, row.pid, load, calls / 10, message_file);  // warm-up
      const auto figures = Run(row.address, row.pid, load, calls, message_file);
      if (!figures) return 1;
      if (row.pid == proxy.pid()) proxy_cpu = figures->cpu_us_per_call;
      if (row.pid == ours) our_cpu = figures->cpu_us_per_call;
      std::printf("%-14s %6dx%-2d %11.0f %14.1f", row.name, load.connections, load.streams, figures->calls_per_second,
                  figures->cpu_us_per_call);
      if (proxy_cpu > 0) std::printf(" %17.2f", figures->cpu_us_per_call / proxy_cpu);
      if (our_cpu > 0) std::printf(" %20.2f", figures->cpu_us_per_call / our_cpu);
      std::printf("\n");
    }
  }
  std::printf("\n%-14s %20s\n", "SendText", "median us, 1 at once");
  for (const Row& row : rows) std::printf("%-14s %20.0f\n", row.name, MedianMicroseconds(row.address));
  unlink(message_file.c_str());
  return 0;
}

}  // namespace
}  // namespace aulm::gateway

int main(int argc, char** argv) { return aulm::gateway::Main(argc > 1 ? std::atoi(argv[1]) : 60'000); }
