#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "service/aulm/http_transport.h"

namespace aulm::gateway {

// An HttpTransport without a network: keeps every request, and answers it when the test says so, either ahead of time
// (AnswerNext) or later (Answer, Detach). Thread-safe; callbacks run on the thread of the one who answers.
class FakeHttpTransport final : public HttpTransport {
 public:
  ExchangeId Start(HttpRequest request, std::shared_ptr<HttpExchange> exchange) override {
    ExchangeId id;
    HttpResult result;
    {
      absl::MutexLock lock(&mutex_);
      requests_.push_back(std::move(request));
      id = requests_.size();
      if (answers_.empty()) {
        exchanges_.push_back(std::move(exchange));
        return id;
      }
      exchanges_.push_back(nullptr);
      result = std::move(answers_.front());
      answers_.pop_front();
    }
    exchange->OnDone(std::move(result));
    return id;
  }

  void Cancel(ExchangeId exchange) override {
    absl::MutexLock lock(&mutex_);
    canceled_.push_back(exchange);
  }

  // Answers the next request inside Start. Queues up when called more than once.
  void AnswerNext(HttpResult result) {
    absl::MutexLock lock(&mutex_);
    answers_.push_back(std::move(result));
  }

  // Answers the request of that index (0 is the first), which has no answer yet.
  void Answer(size_t index, HttpResult result) { Take(index)->OnDone(std::move(result)); }

  void Detach(size_t index, HttpFailure::Reason why) {
    std::shared_ptr<HttpExchange> exchange;
    {
      absl::MutexLock lock(&mutex_);
      exchange = exchanges_.at(index);
    }
    exchange->OnDetached(why);
  }

  std::vector<HttpRequest> requests() const {
    absl::MutexLock lock(&mutex_);
    return requests_;
  }

  // The ids that were given to Cancel; the request of index i has the id i + 1.
  std::vector<ExchangeId> canceled() const {
    absl::MutexLock lock(&mutex_);
    return canceled_;
  }

 private:
  std::shared_ptr<HttpExchange> Take(size_t index) {
    absl::MutexLock lock(&mutex_);
    return std::exchange(exchanges_.at(index), nullptr);
  }

  mutable absl::Mutex mutex_;
  std::vector<HttpRequest> requests_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::shared_ptr<HttpExchange>> exchanges_ ABSL_GUARDED_BY(mutex_);
  std::deque<HttpResult> answers_ ABSL_GUARDED_BY(mutex_);
  std::vector<ExchangeId> canceled_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace aulm::gateway
