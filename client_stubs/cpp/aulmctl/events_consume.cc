#include "client_stubs/cpp/aulmctl/events_consume.h"

#include <algorithm>
#include <memory>
#include <optional>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "aulm/gateway/client/backoff.h"
#include "aulm/gateway/client/call_error.h"
#include "aulm/gateway/v1/event_service.grpc.pb.h"
#include "client_stubs/cpp/aulmctl/error_report.h"
#include "client_stubs/cpp/aulmctl/event_text.h"
#include "client_stubs/cpp/aulmctl/json_line.h"
#include "client_stubs/cpp/aulmctl/output.h"
#include "client_stubs/cpp/aulmctl/stop_signals.h"
#include "client_stubs/cpp/aulmctl/terminal_text.h"

namespace aulm::gateway::ctl {
namespace {

constexpr uint64_t kMostAtOnce = 100;

// Ends the stream that is open, from the thread of the signals.
class Stop {
 public:
  void Now() ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    stopped_ = true;
    if (context_ != nullptr) context_->TryCancel();
  }
  // The stream that Now ends; null: none.
  void Watch(grpc::ClientContext* context) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    context_ = context;
    if (stopped_ && context != nullptr) context->TryCancel();
  }
  bool stopped() const ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    return stopped_;
  }
  // Waits; true when it was stopped.
  bool Sleep(absl::Duration wait) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    return mutex_.AwaitWithTimeout(absl::Condition(&stopped_), wait);
  }

 private:
  mutable absl::Mutex mutex_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  grpc::ClientContext* context_ ABSL_GUARDED_BY(mutex_) = nullptr;
};

class Consuming {
 public:
  Consuming(const ConsumeFlags& flags, const GlobalFlags& globals, v1::EventService::Stub& stub, Stop& stop)
      : flags_(flags), globals_(globals), stub_(stub), stop_(stop) {}

  ExitCode Run() {
    client::Backoff backoff(absl::Milliseconds(200), absl::Seconds(10));
    while (true) {
      const grpc::Status status = OneStream(backoff);
      if (ended_.has_value()) return *ended_;
      if (stop_.stopped()) return ExitCode::kDone;
      const client::CallError error = client::ToCallError(status);
      if (status.error_code() != grpc::StatusCode::UNAVAILABLE)
        return ReportCallError(error, CallKind::kRead, globals_);
      const absl::Duration wait = backoff.Next();
      Tell(absl::StrCat("aulmctl: ", error.reason.empty() ? client::CodeName(error.code) : error.reason, ": ",
                        OneLine(error.message), "; trying again in ", DurationText(wait)));
      if (stop_.Sleep(wait)) return ExitCode::kDone;
    }
  }

 private:
  grpc::Status OneStream(client::Backoff& backoff) {
    v1::SubscribeEventsRequest request;
    request.set_subscription(flags_.subscription);
    request.set_consumer_id(flags_.consumer_id);
    request.set_take_over(flags_.take_over);
    request.set_include_raw_body(flags_.raw);
    // No more than will be printed: what is handed out and not acknowledged counts as an attempt.
    if (flags_.count > 0) {
      request.set_max_batch_events(static_cast<uint32_t>(std::min(kMostAtOnce, flags_.count - printed_)));
    }
    grpc::ClientContext context;
    const auto reader = stub_.SubscribeEvents(&context, request);
    stop_.Watch(&context);
    v1::SubscribeEventsResponse frame;
    while (!ended_.has_value() && reader->Read(&frame)) {
      backoff.Reset();
      if (frame.has_gap()) Tell(absl::StrCat("aulmctl: events were lost: ", OneLine(frame.gap().reason())));
      if (frame.has_event_batch()) ended_ = Take(frame.event_batch());
    }
    if (ended_.has_value()) context.TryCancel();
    stop_.Watch(nullptr);
    return reader->Finish();
  }

  // Prints, then acknowledges what was printed. Nullopt: go on.
  std::optional<ExitCode> Take(const v1::EventBatch& batch) {
    v1::AcknowledgeEventsRequest request;
    request.set_subscription(flags_.subscription);
    std::optional<ExitCode> ended;
    for (const v1::Delivery& delivery : batch.deliveries()) {
      if (PrintLine(globals_.json ? JsonLine(delivery.event()) : EventText(delivery.event())) != ExitCode::kDone) {
        ended = ExitCode::kFailed;
        break;
      }
      if (delivery.ack_token().empty()) {
        request.set_up_to_cursor(delivery.event().cursor());
      } else {
        v1::Settlement& settlement = *request.add_settlements();
        settlement.set_ack_token(delivery.ack_token());
        settlement.set_action(v1::SETTLEMENT_ACTION_ACK);
      }
      if (flags_.count > 0 && ++printed_ == flags_.count) {
        ended = ExitCode::kDone;
        break;
      }
    }
    if (request.settlements_size() == 0 && request.up_to_cursor().empty()) return ended;
    // In mode CURSOR also what the filter left out before the next event.
    if (!ended.has_value() && !batch.resume_cursor().empty()) request.set_up_to_cursor(batch.resume_cursor());
    grpc::ClientContext context;
    globals_.SetDeadline(context);
    v1::AcknowledgeEventsResponse response;
    if (const grpc::Status status = stub_.AcknowledgeEvents(&context, request, &response); !status.ok()) {
      const client::CallError error = client::ToCallError(status);
      if (status.error_code() != grpc::StatusCode::UNAVAILABLE)
        return ReportCallError(error, CallKind::kRead, globals_);
      Tell(absl::StrCat("aulmctl: not acknowledged, will come again: ", OneLine(error.message)));
    }
    return ended;
  }

  const ConsumeFlags& flags_;
  const GlobalFlags& globals_;
  v1::EventService::Stub& stub_;
  Stop& stop_;
  uint64_t printed_ = 0;
  std::optional<ExitCode> ended_;
};

}  // namespace

ExitCode ConsumeEvents(const ConsumeFlags& flags, const GlobalFlags& globals) {
  StopSignals signals;  // before gRPC has threads
  const absl::StatusOr<std::shared_ptr<grpc::Channel>> channel = globals.OpenChannel();
  if (!channel.ok()) return ReportUsage(channel.status().message());
  const auto stub = v1::EventService::NewStub(*channel);
  Stop stop;
  signals.Listen([&stop] { stop.Now(); });
  return Consuming(flags, globals, *stub, stop).Run();
}

}  // namespace aulm::gateway::ctl
