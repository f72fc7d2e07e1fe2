#include <cstdio>

#include "aulm/gateway/client/channel.h"
#include "aulm/gateway/client/event_follower.h"
#include "aulm/gateway/client/event_subscriber.h"
#include "aulm/gateway/client/file_cursor_store.h"
#include "aulm/gateway/client/gateway_client.h"
#include "aulm/gateway/client/memory_cursor_store.h"
#include "aulm/gateway/client/shared_consumer.h"

// Uses each part of the installed client once. Nobody listens where it calls: it prints what that gives.
namespace client = aulm::gateway::client;
namespace v1 = aulm::gateway::v1;

int main() {
  const auto channel = client::OpenChannel({.target = "127.0.0.1:1"});
  if (!channel.ok()) return 1;

  client::FileCursorStore file("/nonexistent/cursor");
  client::EventFollower follower(*channel, {.cursor_store = &file});
  follower.Stop();
  if (follower.Next().has_value() || follower.error().has_value()) return 1;

  client::MemoryCursorStore memory;
  client::EventSubscriber subscriber(*channel, {.cursor_store = &memory}, 4,
                                     [](const v1::Event&) { return absl::OkStatus(); });
  subscriber.Stop();
  if (!subscriber.Run().ok()) return 1;

  client::SharedConsumer consumer(*channel, {.subscription = "orders"},
                                  [](const v1::Delivery&) { return client::Verdict::Ack(); });
  consumer.Stop();
  if (!consumer.Run().ok()) return 1;

  const client::GatewayClient gateway(*channel);
  const auto sent = gateway.SendText({}, {.retry = false});
  if (sent.ok() || sent.error().request_id.empty()) return 1;
  std::puts(client::CodeName(sent.error().code).c_str());
  return 0;
}
