#include "aulm/gateway/client/connection.h"

#include <algorithm>
#include <chrono>

#include "aulm/gateway/client/monotonic_now.h"

namespace aulm::gateway::client {
namespace {

constexpr absl::Duration kLook = absl::Milliseconds(100);

}  // namespace

void WaitConnecting(grpc::ChannelInterface& channel, absl::Duration wait, const std::function<bool()>& give_up) {
  const absl::Time end = MonotonicNow() + wait;
  grpc_connectivity_state state = channel.GetState(/*try_to_connect=*/true);
  const bool was_away = state != GRPC_CHANNEL_READY;
  while (!(give_up && give_up())) {
    const absl::Duration left = std::min(end - MonotonicNow(), kLook);
    if (left <= absl::ZeroDuration()) return;
    channel.WaitForStateChange(state, std::chrono::system_clock::now() + absl::ToChronoMicroseconds(left));
    state = channel.GetState(/*try_to_connect=*/true);
    if (was_away && state == GRPC_CHANNEL_READY) return;
  }
}

}  // namespace aulm::gateway::client
