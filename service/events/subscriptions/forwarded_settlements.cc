#include "service/events/subscriptions/forwarded_settlements.h"

#include <map>
#include <memory>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace aulm::gateway {
namespace {

// A settlement takes at most about 90 bytes, its result as many, and a question has room for 64 KiB.
constexpr size_t kSettlementsAQuestion = 500;

// The answers of all who were asked.
class Answers {
 public:
  Answers(const v1::AcknowledgeEventsRequest& request, size_t parts, DurableSubscription::AcknowledgeCallback done)
      : left_(parts), done_(std::move(done)) {
    for (const v1::Settlement& settlement : request.settlements()) {
      v1::SettlementResult& result = *response_.add_results();
      result.set_ack_token(settlement.ack_token());
      result.set_result(v1::SETTLEMENT_EFFECT_STALE);
    }
  }

  void Take(const std::vector<int>& indices, absl::StatusOr<v1::AcknowledgeEventsResponse> part)
      ABSL_LOCKS_EXCLUDED(mutex_) {
    DurableSubscription::AcknowledgeCallback done;
    {
      absl::MutexLock lock(&mutex_);
      if (absl::IsNotFound(part.status())) {
        // Nobody is there any more: what it had handed out will be again.
      } else if (!part.ok()) {
        if (failure_.ok()) failure_ = part.status();
      } else {
        for (size_t i = 0; i < indices.size() && static_cast<int>(i) < part->results_size(); ++i) {
          response_.mutable_results(indices[i])->set_result(part->results(static_cast<int>(i)).result());
        }
      }
      if (--left_ > 0) return;
      done = std::move(done_);
    }
    // Nobody else comes any more.
    if (failure_.ok()) {
      std::move(done)(std::move(response_));
    } else {
      std::move(done)(failure_);
    }
  }

 private:
  absl::Mutex mutex_;
  size_t left_ ABSL_GUARDED_BY(mutex_);
  DurableSubscription::AcknowledgeCallback done_ ABSL_GUARDED_BY(mutex_);
  v1::AcknowledgeEventsResponse response_;
  absl::Status failure_;
};

}  // namespace

void SettleAcross(const v1::AcknowledgeEventsRequest& request, const std::vector<std::optional<AckToken>>& tokens,
                  DurableSubscription& local, const Assignment& assignment, const AskOwner& ask,
                  DurableSubscription::AcknowledgeCallback done) {
  struct Part {
    std::string owner;  // empty: this replica
    std::vector<int> indices;
    v1::AcknowledgeEventsRequest request;
  };
  std::vector<Part> parts;
  std::map<std::string, size_t> open;  // by owner, the part that has room
  const uint64_t own_epoch = local.epoch();
  for (int i = 0; i < request.settlements_size(); ++i) {
    const std::optional<AckToken>& token = tokens[static_cast<size_t>(i)];
    std::string owner;
    if (token.has_value() && token->epoch != own_epoch) {
      const Assignment::Share* const share = assignment.WithEpoch(token->epoch);
      if (share != nullptr) owner = share->owner();
    }
    auto [place, is_new] = open.try_emplace(owner, parts.size());
    if (!is_new && !owner.empty() && parts[place->second].indices.size() >= kSettlementsAQuestion) {
      place->second = parts.size();
      is_new = true;
    }
    if (is_new) {
      parts.emplace_back().owner = owner;
      parts.back().request.set_subscription(request.subscription());
    }
    Part& part = parts[place->second];
    part.indices.push_back(i);
    *part.request.add_settlements() = request.settlements(i);
  }
  const auto answers = std::make_shared<Answers>(request, parts.size(), std::move(done));
  for (Part& part : parts) {
    auto take = [answers, indices = std::move(part.indices)](absl::StatusOr<v1::AcknowledgeEventsResponse> answer) {
      answers->Take(indices, std::move(answer));
    };
    if (part.owner.empty()) {
      local.Acknowledge(part.request, std::move(take));
    } else {
      ask(part.owner, std::move(part.request), std::move(take));
    }
  }
}

}  // namespace aulm::gateway
