#include "service/rpc/grpc_server.h"

#include <algorithm>
#include <chrono>
#include <mutex>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "grpc/grpc.h"
#include "grpcpp/ext/channelz_service_plugin.h"
#include "grpcpp/ext/proto_server_reflection_plugin.h"
#include "grpcpp/health_check_service_interface.h"
#include "grpcpp/impl/server_builder_option.h"
#include "grpcpp/impl/server_builder_plugin.h"
#include "grpcpp/resource_quota.h"
#include "grpcpp/server_builder.h"

namespace aulm::gateway {
namespace {

// A 5 MiB image and the rest of its request; gRPC's own default is 4 MiB.
constexpr int kMaxReceiveBytes = 8 << 20;
// Whoever connects and says nothing, or shakes hands slowly, is let go; gRPC's own default is 2 minutes.
constexpr int kHandshakeTimeoutMs = 10'000;

// At the end, how long a connection without calls may take to go by itself, and how often that is looked at.
constexpr absl::Duration kGoodbye = absl::Milliseconds(200);
constexpr absl::Duration kLookInterval = absl::Milliseconds(10);

// gRPC's reflection joins every server of a program that it is linked to: where it is not wanted it must be taken out.
class WithoutPlugin final : public grpc::ServerBuilderOption {
 public:
  explicit WithoutPlugin(const char* name) : name_(name) {}

  void UpdateArguments(grpc::ChannelArguments*) override {}
  void UpdatePlugins(std::vector<std::unique_ptr<grpc::ServerBuilderPlugin>>* plugins) override {
    plugins->erase(std::remove_if(plugins->begin(), plugins->end(),
                                  [this](const auto& plugin) { return plugin->name() == name_; }),
                   plugins->end());
  }

 private:
  const std::string name_;
};

int Milliseconds(absl::Duration duration) { return static_cast<int>(absl::ToInt64Milliseconds(duration)); }

// "[::1]:0" and "127.0.0.1:0" with the bound port in place of the last part.
std::string WithPort(absl::string_view address, int port) {
  return absl::StrCat(address.substr(0, address.rfind(':') + 1), port);
}

}  // namespace

absl::StatusOr<std::unique_ptr<GrpcServer>> GrpcServer::Start(const GrpcServerOptions& options,
                                                              std::vector<NamedService> services) {
  static std::once_flag plugins;
  std::call_once(plugins, [] { grpc::EnableDefaultHealthCheckService(true); });
  if (options.reflection) grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  if (options.channelz) grpc::channelz::experimental::InitChannelzService();

  grpc::ServerBuilder builder;
  if (!options.reflection) builder.SetOption(std::make_unique<WithoutPlugin>("proto_server_reflection"));
  int port = 0;
  builder.AddListeningPort(options.address, options.credentials, &port);
  builder.SetMaxReceiveMessageSize(kMaxReceiveBytes);
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);  // two gateways on one port is a mistake, not a feature
  builder.SetResourceQuota(
      grpc::ResourceQuota().Resize(options.memory_bytes).SetMaxThreads(static_cast<int>(options.threads)));
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, static_cast<int>(options.calls_per_connection));
  builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, static_cast<int>(options.header_list_bytes));
  builder.AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, kHandshakeTimeoutMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, Milliseconds(options.keepalive_interval));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, Milliseconds(options.keepalive_timeout));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                             Milliseconds(options.min_ping_interval));
  if (options.channelz) builder.AddChannelArgument(GRPC_ARG_ENABLE_CHANNELZ, 1);
  for (const NamedService& named : services) builder.RegisterService(named.service);

  std::unique_ptr<GrpcServer> server(new GrpcServer());
  server->server_ = builder.BuildAndStart();
  if (server->server_ == nullptr || port == 0) {
    return absl::UnavailableError(absl::StrCat(
        "cannot listen for gRPC on ", options.address,
        ": is the port in use, or the address not this machine's? Set GATEWAY_GRPC_LISTEN to another one"));
  }
  server->services_ = std::move(services);
  server->address_ = WithPort(options.address, port);
  server->SetServing(false);
  return server;
}

GrpcServer::~GrpcServer() {
  if (server_ == nullptr || shut_down_) return;
  server_->Shutdown(std::chrono::system_clock::now());
  server_->Wait();
}

void GrpcServer::SetServing(bool serving) {
  auto* const health = server_->GetHealthCheckService();
  health->SetServingStatus("", serving);
  for (const NamedService& named : services_) health->SetServingStatus(named.name, serving);
}

void GrpcServer::Shutdown(absl::Duration grace, const RpcMetrics& calls) {
  if (shut_down_) return;
  shut_down_ = true;
  absl::Notification ended;
  std::thread ending([&] {
    server_->Shutdown(std::chrono::system_clock::now() + absl::ToChronoMilliseconds(grace));
    server_->Wait();
    ended.Notify();
  });
  // gRPC offers a deadline for calls and connections alike. A server that is shutting down takes no new call, so once
  // there is none it stays so.
  absl::Time quiet_since = absl::Now();
  while (!ended.WaitForNotificationWithTimeout(kLookInterval)) {
    if (calls.under_way() > 0) {
      quiet_since = absl::Now();
    } else if (absl::Now() - quiet_since >= kGoodbye) {
      grpc_server_cancel_all_calls(server_->c_server());
    }
  }
  ending.join();
}

}  // namespace aulm::gateway
