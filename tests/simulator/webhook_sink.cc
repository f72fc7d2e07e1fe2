#include "tests/simulator/webhook_sink.h"

#include <cstdio>
#include <cstdlib>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace aulm::simulator {

WebhookSink::WebhookSink(const std::string& tls_certificate_file, const std::string& tls_key_file)
    : tls_(!tls_certificate_file.empty()) {
  HttpServer::Settings settings;
  settings.listen = "127.0.0.1:0";
  settings.tls_certificate_file = tls_certificate_file;
  settings.tls_key_file = tls_key_file;
  auto server = HttpServer::Start(io_, *this, settings);
  if (!server.ok()) {
    std::fprintf(stderr, "WebhookSink: %s\n", server.status().ToString().c_str());
    std::abort();
  }
  server_ = *std::move(server);
  thread_ = std::thread([this] { io_.run(); });
}

WebhookSink::~WebhookSink() {
  io_.stop();
  thread_.join();
}

std::string WebhookSink::url() const {
  return absl::StrCat(tls_ ? "https://" : "http://", server_->address(), "/hook?a=b");
}

void WebhookSink::AnswerNext(std::vector<HttpAnswer> answers) {
  absl::MutexLock lock(&mutex_);
  for (HttpAnswer& answer : answers) script_.push_back(std::move(answer));
}

void WebhookSink::AnswerAlways(int status) {
  absl::MutexLock lock(&mutex_);
  usual_status_ = status;
}

std::vector<WebhookSink::Received> WebhookSink::WaitFor(size_t count) {
  absl::MutexLock lock(&mutex_);
  const auto enough = [this, count]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return received_.size() >= count; };
  mutex_.AwaitWithTimeout(absl::Condition(&enough), absl::Seconds(10));
  return received_;
}

HttpAnswer WebhookSink::Answer(const HttpRequest& request) {
  Received received;
  for (const auto& [name, value] : request.headers) received.headers[absl::AsciiStrToLower(name)] = std::string(value);
  received.headers[":method"] = std::string(request.method);
  received.headers[":target"] = std::string(request.target);
  received.body = std::string(request.body);
  received.connection_id = request.connection_id;
  received.arrived_us = request.arrived_us;
  absl::MutexLock lock(&mutex_);
  received_.push_back(std::move(received));
  if (script_.empty()) return StatusAnswer(usual_status_);
  HttpAnswer answer = std::move(script_.front());
  script_.pop_front();
  return answer;
}

HttpAnswer StatusAnswer(int status, const std::string& retry_after) {
  HttpAnswer answer;
  answer.status = status;
  if (!retry_after.empty()) answer.headers.emplace_back("retry-after", retry_after);
  return answer;
}

}  // namespace aulm::simulator
