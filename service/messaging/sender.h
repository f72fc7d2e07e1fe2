#pragma once

#include <memory>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "service/messaging/account_directory.h"
#include "service/messaging/send.h"

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

// The way of a send from the gRPC call to aulm: picks the session's account, asks aulm once, answers the caller once.
// The request ledger, pacing and retries stand between those steps. Thread-safe; never blocks.
class Sender {
 public:
  // Called exactly once after Begin, on aulm's transport thread or on the thread that called Begin; must not block.
  // Every error has ErrorInfo with outcome and request_id.
  using Done = absl::AnyInvocable<void(absl::StatusOr<SendAnswer>) &&>;

  // `accounts` outlives the sender and every send.
  explicit Sender(const AccountDirectory& accounts) : accounts_(accounts) {}

  std::shared_ptr<PendingSend> Prepare(Send send, Done done);

 private:
  const AccountDirectory& accounts_;
};

}  // namespace aulm::gateway
