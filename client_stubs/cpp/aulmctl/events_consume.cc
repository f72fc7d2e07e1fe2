#include "client_stubs/cpp/aulmctl/events_consume.h"

#include <algorithm>
#include <atomic>

#include "aulm/gateway/client/shared_consumer.h"
#include "client_stubs/cpp/aulmctl/error_report.h"
#include "client_stubs/cpp/aulmctl/event_notices.h"
#include "client_stubs/cpp/aulmctl/event_text.h"
#include "client_stubs/cpp/aulmctl/json_line.h"
#include "client_stubs/cpp/aulmctl/output.h"

namespace aulm::gateway::ctl {
namespace {

constexpr uint64_t kMostAtOnce = 100;

}  // namespace

ExitCode ConsumeEvents(const ConsumeFlags& flags, const client::GatewayClient& gateway, const GlobalFlags& globals,
                       StopSignals& signals) {
  client::ConsumeOptions options;
  options.subscription = flags.subscription;
  options.consumer_id = flags.consumer_id;
  options.include_raw_body = flags.raw;
  // No more than will be printed: what is handed out and not acknowledged counts as an attempt.
  options.max_outstanding_events =
      static_cast<uint32_t>(flags.count > 0 ? std::min(kMostAtOnce, flags.count) : kMostAtOnce);
  options.notices = NoticesOnStderr();
  uint64_t printed = 0;  // by the one handler at a time
  std::atomic<bool> unwritable = false;
  client::SharedConsumer* running = nullptr;
  client::SharedConsumer consumer(gateway.channel(), options, [&](const v1::Delivery& delivery) {
    if (PrintLine(globals.json ? JsonLine(delivery.event()) : EventText(delivery.event())) != ExitCode::kDone) {
      unwritable = true;
      running->Stop();
      return client::Verdict::Retry();
    }
    if (flags.count > 0 && ++printed == flags.count) running->Stop();
    return client::Verdict::Ack();
  });
  running = &consumer;
  signals.Listen([&consumer] { consumer.Stop(); });
  const absl::Status status = consumer.Run();
  if (unwritable) return ExitCode::kFailed;
  if (consumer.error().has_value()) return ReportCallError(*consumer.error(), CallKind::kRead, globals);
  return ExitCode::kDone;
}

}  // namespace aulm::gateway::ctl
