#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "service/storage/peer_channel.h"

namespace aulm::gateway {

// Where the replicas of one test find each other: questions and news are given and answered inside the call. A replica
// that was removed is not found; one that is silent lets every question time out, and tells and hears nothing.
// Thread-safe.
class FakePeerNetwork {
 public:
  void Add(const std::string& replica, PeerChannel::AnswerFunction answer) {
    absl::MutexLock lock(&mutex_);
    replicas_[replica].answer = std::move(answer);
  }
  // After it returns, nothing is being asked of the replica.
  void Remove(const std::string& replica) {
    absl::MutexLock lock(&mutex_);
    const auto found = replicas_.find(replica);
    if (found == replicas_.end()) return;
    Replica& leaving = found->second;
    leaving.gone = true;
    mutex_.Await(absl::Condition(+[](int* asked) { return *asked == 0; }, &leaving.asked));
    replicas_.erase(replica);
  }
  void SetSilent(const std::string& replica, bool silent) {
    std::function<void(bool)> on_hearing;
    {
      absl::MutexLock lock(&mutex_);
      const auto found = replicas_.find(replica);
      if (found == replicas_.end()) return;
      found->second.silent = silent;
      on_hearing = found->second.listener.on_hearing;
    }
    if (on_hearing) on_hearing(!silent);
  }

  void AddListener(const std::string& replica, const PeerChannel::Listener& listener) {
    {
      absl::MutexLock lock(&mutex_);
      replicas_[replica].listener = listener;
    }
    listener.on_hearing(true);
  }

  void Tell(const std::string& from, const std::string& news) {
    std::vector<PeerChannel::Listener> listeners;
    {
      absl::MutexLock lock(&mutex_);
      if (const auto found = replicas_.find(from); found != replicas_.end() && found->second.silent) return;
      for (const auto& [name, replica] : replicas_) {
        if (name != from && !replica.silent && replica.listener.on_news) listeners.push_back(replica.listener);
      }
    }
    for (const PeerChannel::Listener& listener : listeners) listener.on_news(news);
  }

  void Ask(const std::string& replica, std::string question, PeerChannel::AskCallback done) {
    PeerChannel::AnswerFunction answer;
    absl::Status failure;
    {
      absl::MutexLock lock(&mutex_);
      const auto found = replicas_.find(replica);
      if (found == replicas_.end() || found->second.gone) {
        failure = absl::NotFoundError("no such replica");
      } else if (found->second.silent) {
        failure = absl::DeadlineExceededError("no answer");
      } else {
        answer = found->second.answer;
        ++found->second.asked;
      }
    }
    if (!failure.ok()) {
      std::move(done)(failure);
      return;
    }
    answer(std::move(question), std::move(done));
    absl::MutexLock lock(&mutex_);
    --replicas_.at(replica).asked;
  }

 private:
  struct Replica {
    PeerChannel::AnswerFunction answer;
    PeerChannel::Listener listener;
    bool silent = false;
    bool gone = false;
    int asked = 0;  // questions that it is answering
  };

  absl::Mutex mutex_;
  std::map<std::string, Replica> replicas_ ABSL_GUARDED_BY(mutex_);
};

// One replica's end of it.
class FakePeers final : public PeerChannel {
 public:
  FakePeers(std::shared_ptr<FakePeerNetwork> network, std::string self)
      : network_(std::move(network)), self_(std::move(self)) {}
  ~FakePeers() override { network_->Remove(self_); }

  absl::string_view Self() const override { return self_; }
  void Ask(absl::string_view peer, std::string question, absl::Duration, AskCallback done) override {
    network_->Ask(std::string(peer), std::move(question), std::move(done));
  }
  void Answer(AnswerFunction answer) override { network_->Add(self_, std::move(answer)); }
  void Tell(std::string news) override { network_->Tell(self_, news); }
  void Listen(Listener listener) override { network_->AddListener(self_, listener); }

 private:
  const std::shared_ptr<FakePeerNetwork> network_;
  const std::string self_;
};

}  // namespace aulm::gateway
