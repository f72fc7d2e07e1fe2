#include "aulm/gateway/client/send_retry.h"

#include "aulm/gateway/client/backoff.h"

namespace aulm::gateway::client {
namespace {

constexpr absl::Duration kLeastBackoff = absl::Milliseconds(200);
constexpr absl::Duration kMostBackoff = absl::Seconds(5);
// The gateway's own word for a send that never left it although its request id was looked up before.
constexpr char kLookedUp[] = "CONNECT_FAILED";

}  // namespace

std::optional<CallError> TrySend(const std::string& request_id, absl::Duration timeout, bool retry,
                                 const std::function<grpc::Status(absl::Duration left)>& attempt,
                                 const SendRetryWorld& world) {
  const absl::Time deadline = world.now() + timeout;
  Backoff backoff(kLeastBackoff, kMostBackoff);
  bool in_doubt = false;
  CallError error = NotMade(grpc::StatusCode::DEADLINE_EXCEEDED, "no time was left for the send: it was not tried");
  error.request_id = request_id;
  for (absl::Duration left = timeout; left > absl::ZeroDuration(); left = deadline - world.now()) {
    const grpc::Status status = attempt(left);
    if (status.ok()) return std::nullopt;
    error = ToCallError(status);
    const Outcome told = SendOutcome(error);
    if (error.domain == "aulm.io" || error.reason == kLookedUp) {
      in_doubt = false;
    } else if (!error.from_gateway() && told == Outcome::kUnknown) {
      in_doubt = true;
    }
    const absl::Duration wait = error.retry_after.has_value() ? backoff.Spread(*error.retry_after) : backoff.Next();
    const bool again =
        retry && error.code == grpc::StatusCode::UNAVAILABLE && (!error.from_gateway() || told == Outcome::kNotSent);
    error.outcome = in_doubt ? Outcome::kUnknown : told;
    if (error.request_id.empty()) error.request_id = request_id;
    if (!again || world.now() + wait >= deadline) break;
    world.wait(wait, !error.from_gateway());
  }
  return error;
}

}  // namespace aulm::gateway::client
