#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "service/http/http_server.h"
#include "service/http/http_service.h"

namespace aulm::gateway {

// An HttpService that echoes: "<method> <path> <body>". Requests to /held keep their replies back until the test asks
// for them; /refused is refused by its header. Records what the server reports.
class ScriptedHttpService final : public HttpService {
 public:
  std::optional<ServedReply> Admit(const ServedRequest& request) override {
    if (request.path != "/refused") return std::nullopt;
    ServedReply reply;
    reply.status = 404;
    reply.body = "refused";
    return reply;
  }

  void Handle(ServedRequest& request, Reply reply) override {
    ServedReply echo;
    echo.content_type = "text/plain";
    echo.body = absl::StrCat(request.method, " ", request.path, " ", request.body);
    if (request.path == "/large") echo.body.assign(size_t{64} << 20, 'x');
    if (request.path == "/close") echo.close = true;
    if (request.path == "/forgotten") return;
    absl::MutexLock lock(&mutex_);
    ++requests_;
    if (request.path == "/held") {
      held_.emplace_back(std::move(reply), std::move(echo));
      return;
    }
    std::move(reply).Send(std::move(echo));
  }

  void OnRefused(HttpRefusal refusal, absl::string_view, absl::string_view) override {
    absl::MutexLock lock(&mutex_);
    refusals_.push_back(refusal);
  }

  void OnConnections(int change) override {
    absl::MutexLock lock(&mutex_);
    connections_ += change;
  }

  // Waits until so many requests are held.
  void AwaitHeld(size_t count) {
    absl::MutexLock lock(&mutex_);
    const auto enough = [this, count]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return held_.size() >= count; };
    mutex_.Await(absl::Condition(&enough));
  }

  // Waits until so many requests are held, then answers them from this thread.
  void AnswerHeld(size_t count) {
    AwaitHeld(count);
    std::vector<std::pair<Reply, ServedReply>> answers;
    {
      absl::MutexLock lock(&mutex_);
      answers.swap(held_);
    }
    for (auto& [reply, echo] : answers) std::move(reply).Send(std::move(echo));
  }

  // Waits until so many requests have come.
  void AwaitRequests(int count) {
    absl::MutexLock lock(&mutex_);
    const auto enough = [this, count]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return requests_ >= count; };
    mutex_.Await(absl::Condition(&enough));
  }

  // Waits until that refusal was reported.
  void AwaitRefusal(HttpRefusal refusal) {
    absl::MutexLock lock(&mutex_);
    const auto reported = [this, refusal]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) {
      return std::find(refusals_.begin(), refusals_.end(), refusal) != refusals_.end();
    };
    mutex_.Await(absl::Condition(&reported));
  }

  // Waits until exactly so many connections are open.
  void AwaitConnections(int count) {
    absl::MutexLock lock(&mutex_);
    const auto reached = [this, count]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return connections_ == count; };
    mutex_.Await(absl::Condition(&reached));
  }

  size_t refusals() const {
    absl::MutexLock lock(&mutex_);
    return refusals_.size();
  }

 private:
  mutable absl::Mutex mutex_;
  std::vector<std::pair<Reply, ServedReply>> held_ ABSL_GUARDED_BY(mutex_);
  std::vector<HttpRefusal> refusals_ ABSL_GUARDED_BY(mutex_);
  int connections_ ABSL_GUARDED_BY(mutex_) = 0;
  int requests_ ABSL_GUARDED_BY(mutex_) = 0;
};

// A server on a free loopback port; ends the test's process when it cannot start.
inline std::unique_ptr<HttpServer> StartServer(HttpService& service, HttpServerOptions options = {}) {
  options.name = "test";
  if (options.address.empty()) options.address = "127.0.0.1:0";
  auto server = HttpServer::Start(std::move(options), &service);
  return *std::move(server);
}

}  // namespace aulm::gateway
