#include <chrono>
#include <iostream>

#include "aulm/gateway/client/call_error.h"
#include "aulm/gateway/client/channel.h"
#include "aulm/gateway/client/event_follower.h"
#include "aulm/gateway/client/file_cursor_store.h"
#include "aulm/gateway/v1/messaging_service.grpc.pb.h"

namespace client = aulm::gateway::client;
namespace v1 = aulm::gateway::v1;

int main() {
  const auto channel = *client::OpenChannel({.target = "127.0.0.1:50051"});
  v1::SendTextRequest request;
  request.set_session_id("00000000-0000-4000-8000-000000000001");
  request.set_to("+966512345678");
  request.set_body("Hello");
  request.set_request_id("order-4711");
  v1::SendTextResponse response;
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
  const grpc::Status status = v1::MessagingService::NewStub(channel)->SendText(&context, request, &response);
  if (!status.ok()) std::cerr << client::ToCallError(status).reason << '\n';

  client::FileCursorStore position("position");
  client::EventFollower follower(channel, {.cursor_store = &position});
  while (const auto event = follower.Next()) std::cout << event->ShortDebugString() << '\n';
}
