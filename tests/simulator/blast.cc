#include "tests/simulator/blast.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/simulator/timestamps.h"
#include "tests/simulator/uuid.h"
#include "tests/simulator/webhook_event.h"
#include "tests/simulator/webhook_signer.h"

namespace aulm::simulator {
namespace asio = boost::asio;

struct Blast::Run {
  Run(asio::io_context& context, asio::ssl::context& tls_context, Settings wanted)
      : io(context), tls(tls_context), settings(std::move(wanted)), signer(settings.secret) {}

  // When webhook number `index` may go.
  std::chrono::steady_clock::time_point Due(int64_t index) const {
    const auto offset = absl::Seconds(static_cast<double>(index) / settings.rate_per_second);
    return started + absl::ToChronoNanoseconds(offset);
  }

  std::string Body(int64_t index, const std::string& delivery_id) const {
    const std::string peer = absl::StrCat("+96650", 1'000'000 + index % settings.peers);
    if (settings.event == "message_status") {
      MessageStatus status;
      status.delivery_id = delivery_id;
      status.session_id = settings.session_id;
      status.message_id = NewEngineMessageId();
      status.status = "delivered";
      status.to = peer;
      status.occurred_at = absl::Now();
      return WebhookBody(status);
    }
    InboundMessage message;
    message.delivery_id = delivery_id;
    message.session_id = settings.session_id;
    message.from = peer;
    message.message_id = NewEngineMessageId();
    message.body = absl::StrCat("message ", index);
    message.body.resize(static_cast<size_t>(settings.body_characters), '.');
    message.received_at = absl::Now();
    return WebhookBody(message);
  }

  std::string Request(const std::string& body, const std::string& delivery_id, int attempt) {
    return absl::StrCat(WebhookRequestHead(settings.url, body.size()), "x-aulm-event: ", settings.event,
                        "\r\nx-aulm-delivery-id: ", delivery_id, "\r\nx-aulm-attempt: ", attempt,
                        "\r\nx-aulm-signature: ", signer.Sign(body), "\r\n\r\n", body);
  }

  // True when the webhook is done with.
  bool Count(const WebhookAnswer& answer, int64_t latency_us, const std::string& delivery_id) {
    ++result.sent;
    ++result.statuses[answer.status];
    if (!answer.error.empty()) result.last_error = answer.error;
    if (answer.status < 200 || answer.status > 299) return !settings.retry;
    ++result.delivered;
    result.latencies_us.push_back(static_cast<uint32_t>(latency_us));
    if (settings.keep_ids) result.delivered_ids.push_back(delivery_id);
    return true;
  }

  // One of what was under way is over.
  void End() {
    if (--under_way == 0) result.elapsed_us = ElapsedMicros();
  }

  double ElapsedMicros() const {
    return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - started).count();
  }

  asio::io_context& io;
  asio::ssl::context& tls;
  const Settings settings;
  WebhookSigner signer;
  const std::chrono::steady_clock::time_point started = std::chrono::steady_clock::now();
  int64_t next = 0;
  int under_way = 0;                                     // connections, or what an open loop has going
  std::vector<std::unique_ptr<WebhookConnection>> idle;  // of an open loop
  int opened = 0;
  bool stopped = false;
  Result result;
};

absl::Status Blast::Start(Settings settings) {
  if (run_ != nullptr && run_->under_way > 0) return absl::FailedPreconditionError("a blast is already under way");
  run_ = std::make_shared<Run>(io_, tls_, std::move(settings));
  if (run_->settings.open_loop) {
    run_->under_way = 1;
    asio::co_spawn(io_, Arrivals(run_), asio::detached);
    return absl::OkStatus();
  }
  run_->under_way = run_->settings.concurrency;
  for (int i = 0; i < run_->settings.concurrency; ++i) asio::co_spawn(io_, Connection(run_), asio::detached);
  return absl::OkStatus();
}

void Blast::Stop() {
  if (run_ != nullptr) run_->stopped = true;
}

Blast::Result Blast::Read() const {
  if (run_ == nullptr) return {};
  Result result = run_->result;
  result.running = run_->under_way > 0;
  if (result.running) result.elapsed_us = run_->ElapsedMicros();
  return result;
}

asio::awaitable<void> Blast::Connection(std::shared_ptr<Run> run) {
  const Settings& settings = run->settings;
  boost::system::error_code ignored;
  asio::steady_timer timer(run->io);
  WebhookConnection connection(run->io, run->tls, settings.url);
  while (run->next < settings.count && !run->stopped) {
    const int64_t index = run->next++;
    if (settings.rate_per_second > 0) {
      timer.expires_at(run->Due(index));
      co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    }
    co_await Deliver(*run, connection, index);
  }
  run->End();
}

asio::awaitable<void> Blast::Arrivals(std::shared_ptr<Run> run) {
  boost::system::error_code ignored;
  asio::steady_timer timer(run->io);
  for (int64_t index = 0; index < run->settings.count && !run->stopped; ++index) {
    timer.expires_at(run->Due(index));
    co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    std::unique_ptr<WebhookConnection> connection;
    if (!run->idle.empty()) {
      connection = std::move(run->idle.back());
      run->idle.pop_back();
    } else if (run->opened < run->settings.concurrency) {
      connection = std::make_unique<WebhookConnection>(run->io, run->tls, run->settings.url);
      ++run->opened;
    } else {
      ++run->result.held;
      continue;
    }
    ++run->under_way;
    asio::co_spawn(run->io, Arrival(run, std::move(connection), index), asio::detached);
  }
  run->End();
}

asio::awaitable<void> Blast::Arrival(std::shared_ptr<Run> run, std::unique_ptr<WebhookConnection> connection,
                                     int64_t index) {
  co_await Deliver(*run, *connection, index);
  run->idle.push_back(std::move(connection));
  run->End();
}

asio::awaitable<void> Blast::Deliver(Run& run, WebhookConnection& connection, int64_t index) {
  boost::system::error_code ignored;
  asio::steady_timer timer(run.io);
  const std::string delivery_id = NewUuid();
  const std::string body = run.Body(index, delivery_id);
  for (int attempt = 1; !run.stopped; ++attempt) {
    const std::string request = run.Request(body, delivery_id, attempt);
    const int64_t before = MonotonicMicros();
    const WebhookAnswer answer = co_await connection.Post(request, run.settings.timeout);
    if (run.Count(answer, MonotonicMicros() - before, delivery_id)) break;
    timer.expires_after(absl::ToChronoNanoseconds(run.settings.retry_delay));
    co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  }
}

}  // namespace aulm::simulator
