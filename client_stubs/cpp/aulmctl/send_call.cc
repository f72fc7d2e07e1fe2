#include "client_stubs/cpp/aulmctl/send_call.h"

#include <chrono>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "absl/synchronization/notification.h"
#include "client_stubs/cpp/aulmctl/terminal_text.h"
#include "grpcpp/generic/generic_stub.h"

namespace aulm::gateway::ctl {

grpc::Status CheckReachable(const client::GatewayClient& gateway, const GlobalFlags& globals) {
  // grpc.health.v1.HealthCheckRequest{}: an empty message, which needs no generated code.
  grpc::Slice nothing;
  const grpc::ByteBuffer request(&nothing, 1);
  grpc::ByteBuffer response;
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + absl::ToChronoNanoseconds(globals.Timeout()));
  grpc::Status status;
  absl::Notification done;
  grpc::GenericStub(gateway.channel())
      .UnaryCall(&context, "/grpc.health.v1.Health/Check", grpc::StubOptions(), &request, &response,
                 [&](grpc::Status result) {
                   status = std::move(result);
                   done.Notify();
                 });
  done.WaitForNotification();
  // Any other answer, also a refusal, came from somebody who is there.
  const bool nobody = status.error_code() == grpc::StatusCode::UNAVAILABLE ||
                      status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED;
  return nobody ? status : grpc::Status::OK;
}

std::string SentText(const v1::SentMessage& message, bool replayed, const v1::RateLimit* rate_limit) {
  std::string status =
      absl::AsciiStrToLower(absl::StripPrefix(v1::MessageStatus_Name(message.status()), "MESSAGE_STATUS_"));
  if (message.simulated()) absl::StrAppend(&status, ", simulated");
  if (replayed) absl::StrAppend(&status, ", the answer of an earlier call with this request id");
  std::string text = absl::StrFormat("message     %s\nstatus      %s\nto          %s\n", OneLine(message.message_id()),
                                     status, OneLine(message.to()));
  if (!message.request_id().empty()) absl::StrAppendFormat(&text, "request id  %s\n", OneLine(message.request_id()));
  if (!message.aulm_request_id().empty()) {
    absl::StrAppendFormat(&text, "aulm's id   %s\n", OneLine(message.aulm_request_id()));
  }
  if (rate_limit != nullptr) {
    absl::StrAppendFormat(&text, "quota       %d of %d left, resets %s\n", rate_limit->remaining(), rate_limit->limit(),
                          TimeText(rate_limit->reset_time()));
  }
  text.pop_back();
  return text;
}

}  // namespace aulm::gateway::ctl
