#include "service/rpc/rpc_metrics.h"

#include <map>

namespace aulm::gateway {
namespace {

// By number: gRPC's codes have no gaps.
constexpr std::array<absl::string_view, 17> kCodeNames = {
    "OK",        "CANCELLED",       "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
    "NOT_FOUND", "ALREADY_EXISTS",  "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
    "ABORTED",   "OUT_OF_RANGE",    "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
    "DATA_LOSS", "UNAUTHENTICATED",
};

// In seconds. Sends wait for pacing, so the buckets reach to the longest wait and beyond.
const prometheus::Histogram::BucketBoundaries kSeconds = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                                                          0.25,  0.5,    1,     2.5,  5,     10,   30};

size_t Index(grpc::StatusCode code) {
  const auto index = static_cast<size_t>(code);
  return index < kCodeNames.size() ? index : static_cast<size_t>(grpc::StatusCode::UNKNOWN);
}

}  // namespace

int64_t RpcMetrics::under_way() const {
  int64_t calls = 0;
  for (const auto& method : methods_) calls += method->under_way_;
  return calls;
}

absl::string_view CodeName(grpc::StatusCode code) { return kCodeNames[Index(code)]; }

void MethodMetrics::Handled(grpc::StatusCode code, absl::Duration took) {
  handled_[Index(code)]->Increment();
  seconds_->Observe(absl::ToDoubleSeconds(took));
}

RpcMetrics::RpcMetrics(prometheus::Registry& registry)
    : started_(prometheus::BuildCounter()
                   .Name("grpc_server_started_total")
                   .Help("Calls started on the server.")
                   .Register(registry)),
      handled_(prometheus::BuildCounter()
                   .Name("grpc_server_handled_total")
                   .Help("Calls completed on the server, by status code.")
                   .Register(registry)),
      received_(prometheus::BuildCounter()
                    .Name("grpc_server_msg_received_total")
                    .Help("Messages received from callers.")
                    .Register(registry)),
      sent_(prometheus::BuildCounter()
                .Name("grpc_server_msg_sent_total")
                .Help("Messages sent to callers.")
                .Register(registry)),
      seconds_(prometheus::BuildHistogram()
                   .Name("grpc_server_handling_seconds")
                   .Help("Time from a call's start to its end on the server.")
                   .Register(registry)) {}

MethodMetrics& RpcMetrics::AddMethod(MethodType type, absl::string_view service, absl::string_view method) {
  std::map<std::string, std::string> labels = {
      {"grpc_type", type == MethodType::kUnary ? "unary" : "server_stream"},
      {"grpc_service", std::string(service)},
      {"grpc_method", std::string(method)},
  };
  auto metrics = std::make_unique<MethodMetrics>();
  metrics->service_ = std::string(service);
  metrics->method_ = std::string(method);
  metrics->started_ = &started_.Add(labels);
  metrics->received_ = &received_.Add(labels);
  metrics->sent_ = &sent_.Add(labels);
  metrics->seconds_ = &seconds_.Add(labels, kSeconds);
  for (size_t code = 0; code < kCodeNames.size(); ++code) {
    labels["grpc_code"] = std::string(kCodeNames[code]);
    metrics->handled_[code] = &handled_.Add(labels);
  }
  methods_.push_back(std::move(metrics));
  return *methods_.back();
}

}  // namespace aulm::gateway
