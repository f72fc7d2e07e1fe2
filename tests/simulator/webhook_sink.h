#pragma once

#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "tests/simulator/http_server.h"

namespace aulm::simulator {

// A webhook endpoint for the simulator's own tests: records what arrives and answers by a script, else 200. Serves on a
// thread of its own from Start until it is destroyed. Thread-safe.
class WebhookSink final : public HttpApplication {
 public:
  struct Received {
    std::map<std::string, std::string> headers;  // names in lower case
    std::string body;
    uint64_t connection_id = 0;
    int64_t arrived_us = 0;
  };

  // CHECK-fails when it cannot listen. Certificate files make it https.
  explicit WebhookSink(const std::string& tls_certificate_file = "", const std::string& tls_key_file = "");
  ~WebhookSink() override;

  // `http://127.0.0.1:41234/hook`.
  std::string url() const;

  // The next webhooks get these answers, one each; further ones get 200.
  void AnswerNext(std::vector<HttpAnswer> answers);
  // Every webhook from now on that has no scripted answer gets this status.
  void AnswerAlways(int status);

  // What has arrived once there are at least `count`, or after 10 s what there is.
  std::vector<Received> WaitFor(size_t count);

  HttpAnswer Answer(const HttpRequest& request) override;

 private:
  const bool tls_;
  boost::asio::io_context io_{1};
  std::unique_ptr<HttpServer> server_;
  std::thread thread_;

  absl::Mutex mutex_;
  std::vector<Received> received_ ABSL_GUARDED_BY(mutex_);
  std::deque<HttpAnswer> script_ ABSL_GUARDED_BY(mutex_);
  int usual_status_ ABSL_GUARDED_BY(mutex_) = 200;
};

// An answer of that status with an empty body, and Retry-After when it is not empty.
HttpAnswer StatusAnswer(int status, const std::string& retry_after = "");

}  // namespace aulm::simulator
