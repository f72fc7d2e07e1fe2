#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "aulm/gateway/v1/event_service.grpc.pb.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/security/credentials.h"
#include "grpcpp/security/server_credentials.h"
#include "grpcpp/server.h"
#include "grpcpp/server_builder.h"
#include "gtest/gtest.h"
#include "prometheus/registry.h"
#include "service/base/clock.h"
#include "service/base/system_clock.h"
#include "service/base/system_random.h"
#include "service/events/event_hub.h"
#include "service/events/events_metrics.h"
#include "service/rpc/caller_directory.h"
#include "service/rpc/event_service.h"
#include "service/rpc/rpc_metrics.h"
#include "service/storage/event_log.h"
#include "tests/unit/events/sample_events.h"

namespace aulm::gateway {

// The EventService over a log, served by a real gRPC server on a loopback socket, as tests of streams need it. Time is
// the machine's unless a test brings its clock.
class EventServer {
 public:
  struct Options {
    EventServiceOptions service;
    EventHubOptions hub;
    std::function<void(grpc::ServerBuilder&)> configure = [](grpc::ServerBuilder&) {};
    Clock* clock = nullptr;
  };

  EventServer(EventLog& log, Options options)
      : clock_(options.clock != nullptr ? *options.clock : system_clock_),
        callers_(clock_, registry_),
        events_metrics(registry_),
        rpc_metrics_(registry_),
        hub(log, clock_, events_metrics, options.hub) {
    EXPECT_TRUE(hub.Start().ok());
    service = std::make_unique<EventService>(CallEnvironment{callers_, clock_, absl::Seconds(30)}, options.service, hub,
                                             events_metrics, rpc_metrics_, random_);
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(service.get());
    options.configure(builder);
    server = builder.BuildAndStart();
    address = absl::StrCat("127.0.0.1:", port);
  }

  ~EventServer() {
    Shutdown(absl::Seconds(5));
    hub.Stop();
  }

  // Blocks until every call has ended.
  void Shutdown(absl::Duration grace) {
    if (server == nullptr) return;
    server->Shutdown(std::chrono::system_clock::now() + absl::ToChronoMilliseconds(grace));
    server->Wait();
    server.reset();
  }

  // A connection of its own.
  std::shared_ptr<grpc::Channel> NewChannel() {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
  }
  std::unique_ptr<v1::EventService::Stub> NewStub() { return v1::EventService::NewStub(NewChannel()); }

 private:
  SystemClock system_clock_;
  SystemRandom random_;
  Clock& clock_;
  prometheus::Registry registry_;
  CallerDirectory callers_;

 public:
  EventsMetrics events_metrics;

 private:
  RpcMetrics rpc_metrics_;

 public:
  EventHub hub;
  std::unique_ptr<EventService> service;
  std::unique_ptr<grpc::Server> server;
  std::string address;
};

}  // namespace aulm::gateway
