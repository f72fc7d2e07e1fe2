// The floor of a gRPC call: a callback server that answers SendText from memory. Prints "listening grpc host:port".
#include <grpcpp/grpcpp.h>

#include <cstdio>

#include "aulm/gateway/v1/messaging_service.grpc.pb.h"

namespace {

namespace v1 = aulm::gateway::v1;

class EchoService final : public v1::MessagingService::CallbackService {
 public:
  grpc::ServerUnaryReactor* SendText(grpc::CallbackServerContext* context, const v1::SendTextRequest* request,
                                     v1::SendTextResponse* response) override {
    response->mutable_message()->set_to(request->to());
    response->mutable_message()->set_session_id(request->session_id());
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }
};

}  // namespace

int main() {
  EchoService service;
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&service);
  const auto server = builder.BuildAndStart();
  std::printf("listening grpc 127.0.0.1:%d\n", port);
  std::fflush(stdout);
  server->Wait();
}
