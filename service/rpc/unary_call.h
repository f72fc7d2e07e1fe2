#pragma once

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "grpcpp/impl/codegen/proto_utils.h"
#include "grpcpp/server_context.h"
#include "grpcpp/support/byte_buffer.h"
#include "grpcpp/support/server_callback.h"
#include "service/base/clock.h"
#include "service/base/log.h"
#include "service/base/span.h"
#include "service/rpc/caller_directory.h"
#include "service/rpc/rpc_metrics.h"

namespace aulm::gateway {

// What the calls of every service need. All outlive them.
struct CallEnvironment {
  const CallerDirectory& callers;
  Clock& clock;
  absl::Duration default_deadline;  // of calls whose caller set none
};

// What every unary method does around its own work: who calls and whether it may, the deadline, the status and its
// trailers, the log line, the metrics. A method derives from UnaryCallOf below, asks Admit before anything else, starts
// its work, and ends with End. It deletes itself when gRPC is through with it.
class UnaryCall : public grpc::ServerUnaryReactor {
 public:
  // All arguments outlive the call.
  UnaryCall(const CallEnvironment& environment, grpc::CallbackServerContext& context, MethodMetrics& metrics);

  UnaryCall(const UnaryCall&) = delete;
  UnaryCall& operator=(const UnaryCall&) = delete;

  // When the caller must have its answer: its deadline less a margin of 50 ms, so that the answer is ours and typed,
  // not its own library's bare DEADLINE_EXCEEDED. A call shorter than 100 ms keeps half its time.
  absl::Time answer_by() const { return answer_by_; }

  // The gate: finds out who calls, whether it may call this method at all, and only then whether its request could be
  // read: `readable` is what ReadRequest said. False: the call has been refused, with CALLER_UNKNOWN,
  // CALLER_NOT_ALLOWED or `readable`.
  bool Admit(const absl::Status& readable);

  // Who calls; after Admit.
  Caller& caller() { return *caller_; }

  // Ends the call before anything was begun. By value, since a send adds to it.
  virtual void Refuse(absl::Status status) { End(status); }  // NOLINT(performance-unnecessary-value-param)

 protected:
  ~UnaryCall() override = default;

  // Ends the call: exactly once, on any thread, never under a lock that OnDone needs. Fill the response before.
  void End(const absl::Status& status);

  // Puts the response on the wire, of a call that ends well. Runs inside End.
  virtual void WriteResponse() = 0;

  // The call's own fields for its log line; the status and the time taken are there already. Runs inside End.
  virtual void Describe(LogLine& line) const = 0;

  grpc::CallbackServerContext& context() { return context_; }
  const grpc::CallbackServerContext& context() const { return context_; }

  // The trace context for what this call does elsewhere: the caller's traceparent, or the call's own span in it.
  std::string traceparent() const { return span_.Context(Metadata("traceparent")); }

  // The value of a metadata key of the caller's, or empty.
  std::string Metadata(const std::string& key) const;

  // gRPC's name for "OnDone and OnCancel may run on the thread that has news of the call". They do not block here; the
  // hop to a thread of gRPC's executor that they would get otherwise is a tenth of the CPU of a send.
  bool InternalInlineable() final { return true; }

 private:
  void OnDone() final {
    metrics_.Done();
    delete this;
  }

  grpc::CallbackServerContext& context_;
  MethodMetrics& metrics_;
  const CallerDirectory& callers_;
  const Clock& clock_;
  const absl::Time start_;
  absl::Time answer_by_;
  Span span_;
  Caller* caller_ = nullptr;
};

// A call whose response is a `Response`. Every unary method is raw, one whose request and response are bytes to gRPC,
// so that a request which cannot be read is told what is wrong with it (ReadRequest). `Base` is UnaryCall, or what
// several methods put between.
template <typename Response, typename Base = UnaryCall>
class UnaryCallOf : public Base {
 public:
  // `bytes` is where the response goes: gRPC's until the call is done. The rest is for `Base`.
  template <typename... Arguments>
  explicit UnaryCallOf(grpc::ByteBuffer& bytes, Arguments&&... arguments)
      : Base(std::forward<Arguments>(arguments)...), bytes_(bytes) {}

 protected:
  Response& response() { return response_; }

 private:
  void WriteResponse() final {
    bool owned;
    grpc::SerializationTraits<Response>::Serialize(response_, &bytes_, &owned);
  }

  grpc::ByteBuffer& bytes_;
  Response response_;
};

}  // namespace aulm::gateway
