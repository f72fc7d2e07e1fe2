#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "prometheus/gauge.h"
#include "prometheus/registry.h"

namespace aulm::gateway {

// How many sends may be under way at once in this process: waiting for their turn, asked of aulm, or being settled
// after their caller has gone. Thread-safe.
//   aulm_gateway_sends_in_flight
class SendSlots : public std::enable_shared_from_this<SendSlots> {
 public:
  // One of them, given back when it goes away. Keeps the slots alive: a send may outlive whoever began it.
  class Slot {
   public:
    explicit Slot(std::shared_ptr<SendSlots> slots) : slots_(std::move(slots)) {}
    Slot(Slot&& other) noexcept : slots_(std::move(other.slots_)) {}
    Slot& operator=(Slot&& other) noexcept {
      slots_.swap(other.slots_);
      return *this;
    }
    ~Slot() {
      if (slots_ != nullptr) slots_->GiveBack();
    }

   private:
    std::shared_ptr<SendSlots> slots_;
  };

  // Made by make_shared alone. `registry` outlives this.
  SendSlots(size_t most, prometheus::Registry& registry)
      : most_(most),
        in_flight_(prometheus::BuildGauge()
                       .Name("aulm_gateway_sends_in_flight")
                       .Help("Sends under way: waiting for their turn, asked of aulm, or being settled.")
                       .Register(registry)
                       .Add({})) {}

  // nullopt when all are taken.
  std::optional<Slot> Take() {
    absl::MutexLock lock(&mutex_);
    if (taken_ >= most_) return std::nullopt;
    in_flight_.Set(static_cast<double>(++taken_));
    return std::optional<Slot>(std::in_place, shared_from_this());
  }

 private:
  void GiveBack() {
    absl::MutexLock lock(&mutex_);
    in_flight_.Set(static_cast<double>(--taken_));
  }

  const size_t most_;
  prometheus::Gauge& in_flight_;
  absl::Mutex mutex_;
  size_t taken_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace aulm::gateway
