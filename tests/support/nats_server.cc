#include "tests/support/nats_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"

namespace aulm::gateway {
namespace {

constexpr absl::Duration kReadyLimit = absl::Seconds(30);
constexpr absl::Duration kPollStep = absl::Milliseconds(5);
constexpr int kNobody = 1;  // a port that nobody listens to

// The test runner's AULM_GATEWAY_NATS_SERVER, else the one that is installed.
std::string Program() {
  const char* given = std::getenv("AULM_GATEWAY_NATS_SERVER");
  if (given != nullptr) return given;
  return access("/usr/sbin/nats-server", X_OK) == 0 ? "/usr/sbin/nats-server" : "nats-server";
}

bool TakesConnections(int port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const bool connected = connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
  close(fd);
  return connected;
}

}  // namespace

std::vector<int> FreePorts(int count) {
  std::vector<int> sockets, ports;
  for (int i = 0; i < count; ++i) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    bind(fd, reinterpret_cast<sockaddr*>(&address), size);
    getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
    sockets.push_back(fd);
    ports.push_back(ntohs(address.sin_port));
  }
  for (const int fd : sockets) close(fd);
  return ports;
}

absl::StatusOr<std::unique_ptr<NatsServer>> NatsServer::Start(Options options) {
  std::unique_ptr<NatsServer> server(new NatsServer(std::move(options)));
  server->address_ = absl::StrCat("127.0.0.1:", FreePorts(1).front());
  if (absl::Status failed = server->Run(); !failed.ok()) return failed;
  return server;
}

void NatsServer::Kill() {
  process_->Signal(SIGKILL);
  process_->Wait(kReadyLimit).IgnoreError();
  process_.reset();
}

absl::Status NatsServer::Restart() { return Run(); }

absl::Status NatsServer::Run() {
  const std::string path = absl::StrCat(options_.folder, "/", options_.name, ".conf");
  std::ofstream config(path);
  config << "server_name: " << options_.name << "\nlisten: " << address_ << "\nmax_payload: 8MB\n"
         << "jetstream { store_dir: \"" << options_.folder << "/" << options_.name << "\" }\n"
         << options_.more << "\n";
  if (options_.cluster_port != 0) {
    // Servers tell each other where the others are; there must be no way but the routes that are given.
    config << "cluster {\n  name: test\n  listen: 127.0.0.1:" << options_.cluster_port
           << "\n  advertise: \"127.0.0.1:1\"\n  routes: [\n";
    for (const int port : options_.routes) config << "    nats://127.0.0.1:" << port << "\n";
    config << "  ]\n}\n";
  }
  config.close();
  auto process = ChildProcess::Start({options_.program.empty() ? Program() : options_.program, "-c", path}, {},
                                     absl::StrCat(options_.folder, "/", options_.name, ".log"));
  if (!process.ok()) return process.status();
  process_ = *std::move(process);
  const int port = std::atoi(address_.substr(address_.rfind(':') + 1).c_str());
  const absl::Time deadline = absl::Now() + kReadyLimit;
  while (!TakesConnections(port)) {
    if (process_->Wait(absl::ZeroDuration()).ok() || absl::Now() > deadline) {
      return absl::UnavailableError(absl::StrCat("nats-server did not start: see ", options_.folder));
    }
    absl::SleepFor(kPollStep);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<NatsCluster>> NatsCluster::Start(const std::string& folder) {
  auto cluster = std::make_unique<NatsCluster>();
  const std::vector<int> ports = FreePorts(3);
  const char* const program = std::getenv("AULM_GATEWAY_NATS_CLUSTER");
  for (size_t i = 0; i < ports.size(); ++i) {
    NatsServer::Options options;
    options.folder = folder;
    options.name = absl::StrCat("nats-", i);
    options.cluster_port = ports[i];
    if (program != nullptr) options.program = program;
    for (size_t earlier = 0; earlier < i; ++earlier) {
      auto proxy = std::make_unique<TcpProxy>(ports[earlier]);
      options.routes.push_back(proxy->port());
      cluster->routes_.push_back({static_cast<int>(i), static_cast<int>(earlier), std::move(proxy)});
    }
    // A server wants to be told of all others before it begins: nobody is there, and they will come to it.
    options.routes.resize(ports.size() - 1, kNobody);
    auto server = NatsServer::Start(std::move(options));
    if (!server.ok()) return server.status();
    cluster->servers_.push_back(*std::move(server));
  }
  return cluster;
}

void NatsCluster::CutOff(int index) {
  for (const Route& route : routes_) {
    if (route.later == index || route.earlier == index) route.proxy->Cut();
  }
}

void NatsCluster::Heal(int index) {
  for (const Route& route : routes_) {
    if (route.later == index || route.earlier == index) route.proxy->Heal();
  }
}

std::string NatsCluster::url() const {
  std::vector<std::string> addresses;
  for (const auto& server : servers_) addresses.push_back(server->address());
  return absl::StrCat("nats://", absl::StrJoin(addresses, ","));
}

}  // namespace aulm::gateway
