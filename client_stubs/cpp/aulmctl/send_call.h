#pragma once

#include <functional>
#include <string>

#include "aulm/gateway/client/gateway_client.h"
#include "aulm/gateway/v1/message.pb.h"
#include "aulm/gateway/v1/rate_limit.pb.h"
#include "client_stubs/cpp/aulmctl/error_report.h"
#include "client_stubs/cpp/aulmctl/exit_code.h"
#include "client_stubs/cpp/aulmctl/global_flags.h"
#include "client_stubs/cpp/aulmctl/json_line.h"
#include "client_stubs/cpp/aulmctl/output.h"
#include "grpcpp/support/status.h"

namespace aulm::gateway::ctl {

// A sign of life from the gateway, as an error where there is none. Asked before a send: the send would end in a bare
// UNAVAILABLE, which cannot tell "never arrived" from "broke off after it arrived".
grpc::Status CheckReachable(const client::GatewayClient& gateway, const GlobalFlags& globals);

// What aulm took, as lines for people. `rate_limit` may be null.
std::string SentText(const v1::SentMessage& message, bool replayed, const v1::RateLimit* rate_limit);

// Sends once, never again, and prints what came of it: a shell decides itself what to repeat. `call` makes the send
// with the options given.
template <typename Response>
ExitCode Send(
    const GlobalFlags& globals,
    const std::function<client::CallResult<Response>(const client::GatewayClient&, const client::SendOptions&)>& call) {
  const absl::StatusOr<client::GatewayClient> gateway = globals.OpenClient();
  if (!gateway.ok()) return ReportUsage(gateway.status().message());
  if (const grpc::Status reachable = CheckReachable(*gateway, globals); !reachable.ok()) {
    client::CallError error = client::ToCallError(reachable);
    error.outcome = client::Outcome::kNotSent;
    return ReportCallError(error, CallKind::kSend, globals);
  }
  const client::CallResult<Response> sent = call(*gateway, {.timeout = globals.Timeout(), .retry = false});
  if (!sent.ok()) return ReportCallError(sent.error(), CallKind::kSend, globals);
  return PrintLine(globals.json ? JsonLine(*sent)
                                : SentText(sent->message(), sent->replayed(),
                                           sent->has_rate_limit() ? &sent->rate_limit() : nullptr));
}

}  // namespace aulm::gateway::ctl
