#pragma once

#include <functional>

#include "absl/time/time.h"
#include "grpcpp/impl/codegen/channel_interface.h"

namespace aulm::gateway::client {

// Waits while the channel is away: as long as told, less long once it is connected again or `give_up` (which may be
// null) returns true, looked at ten times a second. Needed between tries of a call, because gRPC's core sees to a
// connection in the making only while a call or this watches the channel, and otherwise every five seconds.
void WaitConnecting(grpc::ChannelInterface& channel, absl::Duration wait, const std::function<bool()>& give_up);

}  // namespace aulm::gateway::client
