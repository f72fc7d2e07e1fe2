#include "aulm/gateway/client/settler.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "aulm/gateway/client/call_error.h"
#include "aulm/gateway/client/connection.h"
#include "aulm/gateway/client/monotonic_now.h"

namespace aulm::gateway::client {
namespace {

constexpr int kMostSettlements = 1000;  // of one AcknowledgeEvents
constexpr std::chrono::seconds kCallTimeout(5);
// How long a consumer that stops goes on trying to settle what its handlers have done.
constexpr absl::Duration kLastTries = absl::Seconds(5);

}  // namespace

Settler::Settler(const std::shared_ptr<grpc::ChannelInterface>& channel, Setup setup)
    : channel_(channel),
      stub_(v1::EventService::NewStub(channel)),
      setup_(std::move(setup)),
      backoff_(absl::Milliseconds(100), absl::Seconds(2)),
      thread_([this] { Work(); }) {}

Settler::~Settler() { Finish(); }

void Settler::Take(const std::string& ack_token) {
  absl::MutexLock lock(&mu_);
  in_hand_.emplace(ack_token, MonotonicNow());
}

void Settler::Settle(v1::Settlement settlement) {
  absl::MutexLock lock(&mu_);
  in_hand_.erase(settlement.ack_token());
  waiting_.push_back(std::move(settlement));
}

void Settler::Finish() {
  {
    absl::MutexLock lock(&mu_);
    finishing_ = true;
    give_up_ = std::min(give_up_, MonotonicNow() + kLastTries);
  }
  if (thread_.joinable()) thread_.join();
}

void Settler::Work() {
  absl::Time next_extension = MonotonicNow() + setup_.ack_deadline / 3;
  while (true) {
    v1::AcknowledgeEventsRequest request;
    request.set_subscription(setup_.subscription);
    {
      absl::MutexLock lock(&mu_);
      mu_.AwaitWithTimeout(absl::Condition(this, &Settler::SomethingToDo), next_extension - MonotonicNow());
      if (MonotonicNow() >= next_extension) {
        Extend();
        next_extension = MonotonicNow() + setup_.ack_deadline / 3;
      }
      while (!waiting_.empty() && request.settlements_size() < kMostSettlements) {
        *request.add_settlements() = std::move(waiting_.front());
        waiting_.pop_front();
      }
      if (request.settlements().empty() && finishing_) return;
    }
    if (!request.settlements().empty() && !Send(request)) return;
  }
}

// Tries until the gateway took the settlements, or refused them; false when time is up.
bool Settler::Send(const v1::AcknowledgeEventsRequest& request) {
  while (true) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + kCallTimeout);
    v1::AcknowledgeEventsResponse response;
    const grpc::Status status = stub_->AcknowledgeEvents(&context, request, &response);
    if (status.ok()) {
      backoff_.Reset();
      return true;
    }
    if (setup_.on_not_saved) setup_.on_not_saved(ToStatus(ToCallError(status)));
    if (!MayPass(status.error_code())) return true;
    const auto time_is_up = [this] {
      absl::MutexLock lock(&mu_);
      return MonotonicNow() >= give_up_;
    };
    WaitConnecting(*channel_, backoff_.Next(), time_is_up);
    if (time_is_up()) return false;
  }
}

void Settler::Extend() {
  for (const auto& [token, since] : in_hand_) {
    if (MonotonicNow() - since > setup_.longest_handling) continue;
    v1::Settlement& settlement = waiting_.emplace_back();
    settlement.set_ack_token(token);
    settlement.set_action(v1::SETTLEMENT_ACTION_EXTEND);
  }
}

}  // namespace aulm::gateway::client
