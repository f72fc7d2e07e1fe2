#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "aulm/gateway/v1/event_service.pb.h"
#include "service/base/clock.h"
#include "service/config/settings.h"
#include "service/events/event_filter.h"
#include "service/messaging/account_directory.h"
#include "service/messaging/send_rate.h"
#include "service/rpc/caller_metrics.h"

namespace aulm::gateway {

// One who may call, as the configuration has it: what it may do, and how much at once. Every refusal is
// PERMISSION_DENIED CALLER_NOT_ALLOWED, whose metadata name the caller's list (`permission`) and what that list lacks
// (`value`). Thread-safe; never blocks. Outlives its calls.
class Caller {
 public:
  // One of its SubscribeEvents streams, given back when it goes away.
  class StreamSlot {
   public:
    explicit StreamSlot(Caller& caller) : caller_(&caller) {}
    StreamSlot(StreamSlot&& other) noexcept : caller_(std::exchange(other.caller_, nullptr)) {}
    StreamSlot& operator=(StreamSlot&& other) noexcept {
      std::swap(caller_, other.caller_);
      return *this;
    }
    ~StreamSlot() {
      if (caller_ != nullptr) caller_->GiveBackStream();
    }

   private:
    Caller* caller_;
  };

  // The clock and the metrics outlive it.
  Caller(const CallerSettings& settings, CallerMetrics& metrics, const Clock& clock);

  // Anyone at all, who has no name and may do everything.
  static CallerSettings Anyone();

  Caller(const Caller&) = delete;
  Caller& operator=(const Caller&) = delete;

  const std::string& name() const { return settings_.name; }

  // `method` is bare: "SendText".
  absl::Status MayCall(absl::string_view method) const;

  absl::Status MayUseAccount(absl::string_view account) const;

  // The session (whatever the case of its letters), and the account that it belongs to. OK for a session of no account:
  // whoever uses it finds that out.
  absl::Status MayUseSession(absl::string_view session_id, const AccountDirectory& accounts) const;

  // That there is anything at all that it may see, and that it may see every session that `filter` names.
  absl::Status MaySeeEvents(const v1::EventFilter& filter) const;

  // Which events it may see; null: all.
  const std::shared_ptr<const EventVisibility>& visibility() const { return visibility_; }

  // Durable subscriptions that it may have; 0: no limit of its own.
  size_t max_subscriptions() const { return settings_.max_subscriptions; }

  // Null: it has no limit of its own.
  const std::shared_ptr<SendRate>& send_rate() const { return send_rate_; }

  // RESOURCE_EXHAUSTED OVERLOADED, with RetryInfo, when it has as many as it may.
  absl::StatusOr<StreamSlot> TakeStream();

  // For the metrics: how a call of its ended.
  void NoteEnd(const absl::Status& status) { metrics_.NoteEnd(status); }

 private:
  absl::Status Denied(absl::string_view permission, absl::string_view value, absl::string_view message) const;
  void GiveBackStream();

  const CallerSettings settings_;
  const std::shared_ptr<const EventVisibility> visibility_;
  const std::shared_ptr<SendRate> send_rate_;
  CallerMetrics::Series metrics_;
  std::atomic<size_t> streams_{0};
};

}  // namespace aulm::gateway
