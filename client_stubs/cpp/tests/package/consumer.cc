#include <cstdio>

#include "aulm/gateway/client/call_error.h"
#include "aulm/gateway/client/channel.h"
#include "aulm/gateway/client/event_follower.h"
#include "aulm/gateway/client/file_cursor_store.h"
#include "aulm/gateway/v1/messaging_service.grpc.pb.h"

// Uses each part of the installed client once. Nobody listens where it calls: it prints what that gives.
namespace client = aulm::gateway::client;
namespace v1 = aulm::gateway::v1;

int main() {
  client::ChannelOptions options;
  options.target = "127.0.0.1:1";
  const auto channel = client::OpenChannel(options);
  if (!channel.ok()) return 1;

  client::FileCursorStore store("/nonexistent/cursor");
  client::FollowOptions following;
  following.cursor_store = &store;
  client::EventFollower follower(*channel, following);
  follower.Stop();
  if (follower.Next().has_value() || follower.error().has_value()) return 1;

  grpc::ClientContext context;
  v1::SendTextResponse response;
  const client::CallError error = client::ToCallError(
      v1::MessagingService::NewStub(*channel)->SendText(&context, v1::SendTextRequest(), &response));
  std::puts(client::CodeName(error.code).c_str());
  return 0;
}
