#include "service/messaging/unsettled_claims.h"

#include <cstddef>
#include <utility>

#include "service/base/log.h"

namespace aulm::gateway {
namespace {

constexpr absl::Duration kBetweenTries = absl::Seconds(1);

}  // namespace

std::vector<StateWrite> WritesToRepeat(std::vector<StateWrite> writes,
                                       const std::vector<absl::StatusOr<uint64_t>>& results) {
  std::vector<StateWrite> failed;
  for (size_t i = 0; i < writes.size(); ++i) {
    const absl::Status& status = results[i].status();
    if (!status.ok() && !absl::IsAborted(status) && !absl::IsInvalidArgument(status)) {
      failed.push_back(std::move(writes[i]));
    }
  }
  return failed;
}

std::shared_ptr<UnsettledClaims> UnsettledClaims::Create(StateStore& store, Clock& clock, prometheus::Gauge& count) {
  return std::shared_ptr<UnsettledClaims>(new UnsettledClaims(store, clock, count));
}

UnsettledClaims::UnsettledClaims(StateStore& store, Clock& clock, prometheus::Gauge& count)
    : store_(store), clock_(clock), count_(count) {}

void UnsettledClaims::Add(std::vector<StateWrite> writes, absl::Time lease_ends) {
  count_.Increment();
  TryLater(std::move(writes), lease_ends);
}

void UnsettledClaims::TryLater(std::vector<StateWrite> writes, absl::Time lease_ends) {
  clock_.CallAfter(kBetweenTries, [weak = weak_from_this(), writes = std::move(writes), lease_ends] {
    if (const auto self = weak.lock()) self->Try(writes, lease_ends);
  });
}

void UnsettledClaims::Try(std::vector<StateWrite> writes, absl::Time lease_ends) {
  if (clock_.Now() >= lease_ends) {
    count_.Decrement();
    LogLine(LogLevel::kError, "send_never_settled").Field("writes", writes.size());
    return;
  }
  std::vector<StateWrite> again = writes;
  store_.Write(std::move(writes), StateStore::Durability::kDurable,
               [weak = weak_from_this(), again = std::move(again),
                lease_ends](const std::vector<absl::StatusOr<uint64_t>>& results) mutable {
                 if (const auto self = weak.lock()) self->OnWritten(std::move(again), lease_ends, results);
               });
}

void UnsettledClaims::OnWritten(std::vector<StateWrite> writes, absl::Time lease_ends,
                                const std::vector<absl::StatusOr<uint64_t>>& results) {
  std::vector<StateWrite> failed = WritesToRepeat(std::move(writes), results);
  if (!failed.empty()) return TryLater(std::move(failed), lease_ends);
  count_.Decrement();
  LogLine(LogLevel::kInfo, "send_settled_after_all");
}

}  // namespace aulm::gateway
