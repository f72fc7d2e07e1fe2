#pragma once

#include <functional>
#include <memory>

#include "aulm/gateway/v1/message.pb.h"
#include "aulm/gateway/v1/rate_limit.pb.h"
#include "client_stubs/cpp/aulmctl/error_report.h"
#include "client_stubs/cpp/aulmctl/exit_code.h"
#include "client_stubs/cpp/aulmctl/global_flags.h"
#include "client_stubs/cpp/aulmctl/json_line.h"
#include "client_stubs/cpp/aulmctl/output.h"
#include "grpcpp/channel.h"
#include "grpcpp/client_context.h"
#include "grpcpp/support/status.h"

namespace aulm::gateway::ctl {

// A sign of life from the gateway, as an error where there is none. Asked before a send: the send would end in a bare
// UNAVAILABLE, which cannot tell "never arrived" from "broke off after it arrived".
grpc::Status CheckReachable(const std::shared_ptr<grpc::Channel>& channel, const GlobalFlags& globals);

// What aulm took, as lines for people. `rate_limit` may be null.
std::string SentText(const v1::SentMessage& message, bool replayed, const v1::RateLimit* rate_limit);

// Sends once, never again, and prints what came of it. `call` makes the call with the context and response given.
template <typename Response>
ExitCode Send(
    const GlobalFlags& globals,
    const std::function<grpc::Status(const std::shared_ptr<grpc::Channel>&, grpc::ClientContext*, Response*)>& call) {
  const absl::StatusOr<std::shared_ptr<grpc::Channel>> channel = globals.OpenChannel();
  if (!channel.ok()) return ReportUsage(channel.status().message());
  if (const grpc::Status reachable = CheckReachable(*channel, globals); !reachable.ok()) {
    client::CallError error = client::ToCallError(reachable);
    error.outcome = client::Outcome::kNotSent;
    return ReportCallError(error, CallKind::kSend, globals);
  }
  grpc::ClientContext context;
  globals.SetDeadline(context);
  Response response;
  if (const grpc::Status status = call(*channel, &context, &response); !status.ok()) {
    return ReportCallError(client::ToCallError(status), CallKind::kSend, globals);
  }
  return PrintLine(globals.json ? JsonLine(response)
                                : SentText(response.message(), response.replayed(),
                                           response.has_rate_limit() ? &response.rate_limit() : nullptr));
}

}  // namespace aulm::gateway::ctl
