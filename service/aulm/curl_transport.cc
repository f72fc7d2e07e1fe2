#include "service/aulm/curl_transport.h"

#include <curl/curl.h>
#include <pthread.h>
#include <signal.h>

#include <utility>

#include "service/aulm/curl_loop.h"

namespace aulm::gateway {
namespace {

std::unique_ptr<CurlLoop> MakeLoop(const CurlTransportOptions& options, AulmMetrics& metrics) {
  curl_global_init(CURL_GLOBAL_DEFAULT);  // counted and thread-safe; never undone, OpenSSL is shared with others
  return std::make_unique<CurlLoop>(options, metrics);
}

}  // namespace

CurlTransport::CurlTransport(const CurlTransportOptions& options, AulmMetrics& metrics)
    : stop_grace_(options.stop_grace), loop_(MakeLoop(options, metrics)), thread_([this] { Run(); }) {}

CurlTransport::~CurlTransport() { Stop(); }

HttpTransport::ExchangeId CurlTransport::Start(HttpRequest request, std::shared_ptr<HttpExchange> exchange) {
  Command command{next_id_.fetch_add(1, std::memory_order_relaxed), std::move(request), std::move(exchange)};
  const ExchangeId id = command.id;
  if (!Post(command)) {
    command.exchange->OnDone(HttpFailure{HttpFailure::Reason::kStopped, false, "the transport has stopped"});
  }
  return id;
}

void CurlTransport::Cancel(ExchangeId exchange) {
  Command command{exchange, {}, nullptr};
  Post(command);
}

bool CurlTransport::Post(Command& command) {
  {
    absl::MutexLock lock(&mutex_);
    if (closed_) return false;
    queue_.push_back(std::move(command));
  }
  loop_->poller().Wake();
  return true;
}

void CurlTransport::Stop() {
  if (!thread_.joinable()) return;
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  loop_->poller().Wake();
  thread_.join();
}

void CurlTransport::Run() {
  pthread_setname_np(pthread_self(), "curl");
  // OpenSSL writes without MSG_NOSIGNAL: a closed connection must not end the process.
  sigset_t every_signal;
  sigfillset(&every_signal);
  pthread_sigmask(SIG_BLOCK, &every_signal, nullptr);

  std::vector<Command> commands;
  bool told_to_stop = false;
  while (true) {
    loop_->poller().AboutToSleep();
    {
      absl::MutexLock lock(&mutex_);
      commands.swap(queue_);
      if (stopping_ && !told_to_stop) {
        told_to_stop = true;
        commands.emplace_back();  // wakes the loop below, after the commands before it
      } else if (stopping_ && commands.empty() && loop_->idle()) {
        closed_ = true;
        return;
      }
    }
    const bool has_work = !commands.empty();
    if (has_work) loop_->poller().StayAwake();
    for (Command& command : commands) {
      if (command.id == 0) {
        loop_->Stop(stop_grace_);
      } else if (command.exchange != nullptr) {
        loop_->Start(command.id, std::move(command.request), std::move(command.exchange));
      } else {
        loop_->Cancel(command.id);
      }
    }
    commands.clear();
    loop_->Turn(/*may_wait=*/!has_work);
  }
}

}  // namespace aulm::gateway
