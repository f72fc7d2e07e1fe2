#include <iostream>

#include "aulm/gateway/client/channel.h"
#include "aulm/gateway/client/event_follower.h"
#include "aulm/gateway/client/file_cursor_store.h"
#include "aulm/gateway/client/gateway_client.h"

namespace client = aulm::gateway::client;

int main() {
  const client::GatewayClient gateway(*client::OpenChannel({.target = "127.0.0.1:50051"}));
  aulm::gateway::v1::SendTextRequest request;
  request.set_session_id("00000000-0000-4000-8000-000000000001");
  request.set_to("+966512345678");
  request.set_body("Hello");
  request.set_request_id("order-4711");
  const auto sent = gateway.SendText(request);
  if (!sent.ok()) std::cerr << sent.error() << '\n';  // a CallError: reason, outcome and more

  client::FileCursorStore position("position");
  aulm::gateway::v1::SubscribeEventsRequest events;
  events.set_position(aulm::gateway::v1::START_POSITION_EARLIEST);  // until there is a position
  client::EventFollower follower(gateway.channel(), {.request = events, .cursor_store = &position});
  while (const auto event = follower.Next()) std::cout << event->ShortDebugString() << '\n';
}
