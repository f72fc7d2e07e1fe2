#include "service/rpc/unary_call.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include "service/base/status_details.h"
#include "service/rpc/status_conversion.h"

namespace aulm::gateway {
namespace {

constexpr absl::Duration kMargin = absl::Milliseconds(50);

}  // namespace

UnaryCall::UnaryCall(const CallEnvironment& environment, grpc::CallbackServerContext& context, MethodMetrics& metrics)
    : context_(context),
      metrics_(metrics),
      callers_(environment.callers),
      clock_(environment.clock),
      start_(environment.clock.Now()) {
  metrics_.Started();
  metrics_.MessageReceived();
  const std::chrono::system_clock::time_point asked = context.deadline();
  const absl::Duration allowed = asked == std::chrono::system_clock::time_point::max()
                                     ? environment.default_deadline
                                     : absl::FromChrono(asked - std::chrono::system_clock::now());
  span_ = Span(Span::Kind::kServer, metrics.method(), Metadata("traceparent"));
  answer_by_ = start_ + allowed - std::min(kMargin, std::max(absl::ZeroDuration(), allowed / 2));
}

bool UnaryCall::Admit(const absl::Status& readable) {
  const absl::StatusOr<Caller*> caller = callers_.Identify(context_);
  if (!caller.ok()) {
    Refuse(caller.status());
    return false;
  }
  caller_ = *caller;
  if (absl::Status status = caller_->MayCall(metrics_.method()); !status.ok()) {
    Refuse(std::move(status));
    return false;
  }
  if (!readable.ok()) {
    Refuse(readable);
    return false;
  }
  return true;
}

void UnaryCall::End(const absl::Status& status) {
  if (status.ok()) WriteResponse();
  const grpc::Status converted = ToGrpcStatus(status);
  AddErrorTrailers(status, context_);
  const absl::Duration took = clock_.Now() - start_;
  metrics_.Handled(converted.error_code(), took);
  const std::string trace = traceparent();
  span_.Attribute("rpc.grpc.status", CodeName(converted.error_code()));
  if (!status.ok()) span_.Fail(ReasonOf(status));
  span_.End();
  if (converted.ok()) metrics_.MessagesSent();
  if (caller_ != nullptr) caller_->NoteEnd(status);
  {
    LogLine line(converted.ok() ? LogLevel::kInfo : LogLevel::kWarn, "call");
    line.Field("method", metrics_.method()).Field("code", CodeName(converted.error_code()));
    if (caller_ != nullptr && !caller_->name().empty()) line.Field("caller", caller_->name());
    if (!status.ok()) line.Field("reason", ReasonOf(status));
    // aulm's own words may quote what was sent: they are for the caller alone.
    const std::optional<ErrorDetails> details = status.ok() ? std::nullopt : DetailsOf(status);
    if (details.has_value() && details->domain == kGatewayDomain) line.Field("message", status.message());
    line.Field("took_ms", took).Trace(trace);
    Describe(line);
  }
  Finish(converted);  // the last touch: OnDone may run before it returns
}

std::string UnaryCall::Metadata(const std::string& key) const {
  const auto& metadata = context_.client_metadata();
  const auto found = metadata.find(key);
  return found == metadata.end() ? std::string() : std::string(found->second.data(), found->second.size());
}

}  // namespace aulm::gateway
