#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "grpcpp/support/status_code_enum.h"
#include "prometheus/counter.h"
#include "prometheus/family.h"
#include "prometheus/histogram.h"
#include "prometheus/registry.h"

namespace aulm::gateway {

// One method's counters, under the names that the usual gRPC dashboards know. Thread-safe.
class MethodMetrics {
 public:
  // A call came in.
  void Started() {
    ++under_way_;
    started_->Increment();
  }
  void MessageReceived() { received_->Increment(); }
  void MessagesSent(double count = 1) { sent_->Increment(count); }
  // A call ended.
  void Handled(grpc::StatusCode code, absl::Duration took);
  // gRPC is through with a call that was Handled: its answer is on its way.
  void Done() { --under_way_; }

  absl::string_view service() const { return service_; }
  absl::string_view method() const { return method_; }

 private:
  friend class RpcMetrics;

  std::atomic<int64_t> under_way_ = 0;
  std::string service_;
  std::string method_;
  prometheus::Counter* started_;
  prometheus::Counter* received_;
  prometheus::Counter* sent_;
  prometheus::Histogram* seconds_;
  std::array<prometheus::Counter*, 17> handled_;  // by status code
};

// grpc_server_started_total, grpc_server_handled_total, grpc_server_msg_received_total, grpc_server_msg_sent_total and
// grpc_server_handling_seconds, every series present from the start at 0.
class RpcMetrics {
 public:
  enum class MethodType { kUnary, kServerStream };

  // The registry must outlive this.
  explicit RpcMetrics(prometheus::Registry& registry);

  // Makes the series of one method. `service` is the full name, "aulm.gateway.v1.MessagingService". Not thread-safe;
  // the result lives as long as this.
  MethodMetrics& AddMethod(MethodType type, absl::string_view service, absl::string_view method);

  // Calls that were Started and are not Done.
  int64_t under_way() const;

 private:
  prometheus::Family<prometheus::Counter>& started_;
  prometheus::Family<prometheus::Counter>& handled_;
  prometheus::Family<prometheus::Counter>& received_;
  prometheus::Family<prometheus::Counter>& sent_;
  prometheus::Family<prometheus::Histogram>& seconds_;
  std::vector<std::unique_ptr<MethodMetrics>> methods_;
};

// "OK", "INVALID_ARGUMENT" …, as gRPC spells its codes.
absl::string_view CodeName(grpc::StatusCode code);

}  // namespace aulm::gateway
