#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "aulm/gateway/client/call_error.h"
#include "aulm/gateway/client/frame_source.h"
#include "aulm/gateway/client/notices.h"
#include "grpcpp/channel.h"

namespace aulm::gateway::client {

class ConversationLanes;
class Settler;

// What becomes of a delivery of a durable subscription in mode SHARED.
struct Verdict {
  // ACK: handled. RETRY: another try, by whichever consumer. PARK: put aside until an operator has it replayed. SKIP:
  // done with, unhandled.
  v1::SettlementAction action = v1::SETTLEMENT_ACTION_ACK;
  // With RETRY: how long until the next try; absent: the subscription's retry_delay.
  std::optional<absl::Duration> delay;

  static Verdict Ack() { return {}; }
  static Verdict Retry(std::optional<absl::Duration> delay = {}) { return {v1::SETTLEMENT_ACTION_RETRY, delay}; }
  static Verdict Park() { return {v1::SETTLEMENT_ACTION_PARK, {}}; }
  static Verdict Skip() { return {v1::SETTLEMENT_ACTION_SKIP, {}}; }
};

// How a SharedConsumer takes part.
struct ConsumeOptions {
  std::string subscription;
  // Names this consumer for the eyes of operators; made by the gateway where empty.
  std::string consumer_id;
  // How many handlers run at the same time.
  int concurrency = 1;
  // Deliveries in hand at once, at most 10000; 0: 100.
  uint32_t max_outstanding_events = 0;
  // Zero: 20 s.
  absl::Duration heartbeat_interval = absl::ZeroDuration();
  // Each event brings the body of its webhook.
  bool include_raw_body = false;
  // Until when a delivery is kept from the other consumers while its handler runs.
  absl::Duration longest_handling = absl::Hours(1);
  // The wait after a first and after a further failure to connect, jittered.
  absl::Duration least_backoff = absl::Milliseconds(200);
  absl::Duration most_backoff = absl::Seconds(10);
  Notices notices;
};

// One of the consumers of a durable subscription in mode SHARED, which GatewayClient::CreateSubscription makes. Has
// handlers called for its deliveries, settles each as its handler says, and extends those whose handler still runs.
//
//   SharedConsumer consumer(channel, {.subscription = "orders"}, [](const v1::Delivery& delivery) { … });
//   absl::Status status = consumer.Run();  // until some thread calls consumer.Stop()
class SharedConsumer {
 public:
  // Called on threads of the consumer's; deliveries of a conversation come one after the other. An error has the
  // delivery tried again, like Verdict::Retry, and is told as a notice (on_handler_failed), or else on stderr.
  using Handler = std::function<absl::StatusOr<Verdict>(const v1::Delivery& delivery)>;

  // Does not connect: Run does.
  SharedConsumer(const std::shared_ptr<grpc::ChannelInterface>& channel, ConsumeOptions options, Handler handler);
  SharedConsumer(const SharedConsumer&) = delete;
  SharedConsumer& operator=(const SharedConsumer&) = delete;
  ~SharedConsumer();

  // Consumes until stopped, which is OK, or until something that trying again cannot mend, such as a subscription in
  // mode CURSOR or a Verdict that settles nothing: see error(), whose status it returns. The handlers that run have
  // returned by then, and what they did is settled. Blocks. Once.
  absl::Status Run();

  // Makes Run end once the handlers that run have returned. Thread-safe, does not block; not for signal handlers.
  void Stop();

  // Why Run ended by itself. After Run.
  const std::optional<CallError>& error() const { return error_; }

 private:
  std::optional<absl::Duration> AckDeadline();
  void Accept(v1::EventBatch batch, Settler& settler, ConversationLanes& lanes);
  absl::Status Handle(const v1::Delivery& delivery, Settler& settler);

  const std::shared_ptr<grpc::ChannelInterface> channel_;
  const ConsumeOptions options_;
  const Handler handler_;
  FrameSource frames_;
  std::optional<CallError> error_;  // of the thread of Run

  absl::Mutex mu_;
  ConversationLanes* running_ ABSL_GUARDED_BY(mu_) = nullptr;  // while Run hands deliveries to it
};

}  // namespace aulm::gateway::client
