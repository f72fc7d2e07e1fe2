#pragma once

#include <memory>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "service/base/clock.h"
#include "service/messaging/account_directory.h"
#include "service/messaging/in_flight_sends.h"
#include "service/messaging/pacer.h"
#include "service/messaging/quotas.h"
#include "service/messaging/request_ledger.h"
#include "service/messaging/retry_policy.h"
#include "service/messaging/send.h"
#include "service/messaging/send_slots.h"
#include "service/messaging/sent_messages.h"

namespace aulm::gateway {

// One send, held by whoever may have to give it up.
class PendingSend {
 public:
  virtual ~PendingSend() = default;

  // Sets the send on its way; once. The answer may come before it returns.
  virtual void Begin() = 0;

  // The caller has gone away: a send that is not written yet ends, one that is written goes on without it. Thread-safe;
  // does nothing when the send is done.
  virtual void Cancel() = 0;
};

// The way of a send from the gRPC call to aulm and back (send_in_progress.cc): look its request id up, claim it, ask
// aulm, settle it, answer the caller once. Thread-safe; never blocks.
class Sender {
 public:
  // Called exactly once after Begin, on a thread of the store's, the clock's or aulm's transport, or inside Begin; must
  // not block. Every error has ErrorInfo with outcome and request_id.
  using Done = absl::AnyInvocable<void(absl::StatusOr<SendAnswer>) &&>;

  // All outlive the sender and every send.
  Sender(const AccountDirectory& accounts, const RequestLedger& ledger, SentMessages& messages, Quotas& quotas,
         Pacer& pacer, RetryPolicy& retries, SendSlots& slots, Clock& clock)
      : accounts_(accounts),
        ledger_(ledger),
        messages_(messages),
        quotas_(quotas),
        pacer_(pacer),
        retries_(retries),
        slots_(slots),
        clock_(clock) {}

  std::shared_ptr<PendingSend> Prepare(Send send, Done done);

 private:
  const AccountDirectory& accounts_;
  const RequestLedger& ledger_;
  SentMessages& messages_;
  Quotas& quotas_;
  Pacer& pacer_;
  RetryPolicy& retries_;
  SendSlots& slots_;
  Clock& clock_;
  InFlightSends in_flight_;
};

}  // namespace aulm::gateway
