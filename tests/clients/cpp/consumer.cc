#include "tests/clients/cpp/consumer.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace aulm::gateway::conformance {
namespace {

constexpr absl::Duration kLeastBackoff = absl::Milliseconds(20);
constexpr absl::Duration kMostBackoff = absl::Milliseconds(200);

}  // namespace

std::string EventName(const v1::Event& event) {
  if (event.has_inbound_message()) return event.inbound_message().body();
  if (event.has_message_status()) return event.message_status().aulm_status();
  return event.event_name();
}

Consumer::Consumer(const client::GatewayClient& gateway, Record& record, Step step)
    : record_(record), step_(std::move(step)) {
  if (step_.shared) {
    client::ConsumeOptions options;
    options.subscription = step_.request.subscription();
    options.concurrency = step_.concurrency;
    options.max_outstanding_events = step_.request.max_outstanding_events();
    options.heartbeat_interval = absl::Seconds(step_.request.heartbeat_interval().seconds()) +
                                 absl::Nanoseconds(step_.request.heartbeat_interval().nanos());
    options.include_raw_body = step_.request.include_raw_body();
    options.least_backoff = kLeastBackoff;
    options.most_backoff = kMostBackoff;
    options.notices = MakeNotices();
    consumer_ = std::make_unique<client::SharedConsumer>(
        gateway.channel(), std::move(options),
        [this](const v1::Delivery& delivery) { return HandleDelivery(delivery); });
  } else {
    client::FollowOptions options;
    options.request = step_.request;
    if (!step_.cursor_file.empty()) options.cursor_store = &store_.emplace(step_.cursor_file);
    options.cursor_save_interval = absl::ZeroDuration();
    options.least_backoff = kLeastBackoff;
    options.most_backoff = kMostBackoff;
    options.notices = MakeNotices();
    subscriber_ = std::make_unique<client::EventSubscriber>(gateway.channel(), std::move(options), step_.concurrency,
                                                            [this](const v1::Event& event) { return Handle(event); });
  }
  thread_ = std::thread([this] {
    const absl::Status status = subscriber_ != nullptr ? subscriber_->Run() : consumer_->Run();
    absl::MutexLock lock(&record_.mu);
    status_ = status;
    ended_ = true;
  });
}

Consumer::~Consumer() {
  Stop();
  {
    absl::MutexLock lock(&record_.mu);
    step_.hold.clear();
  }
  thread_.join();
}

void Consumer::Stop() {
  if (subscriber_ != nullptr) subscriber_->Stop();
  if (consumer_ != nullptr) consumer_->Stop();
}

void Consumer::Release(const std::vector<std::string>& events) {
  absl::MutexLock lock(&record_.mu);
  for (const std::string& event : events) step_.hold.erase(event);
}

bool Consumer::AwaitEnd(absl::Duration limit) {
  absl::MutexLock lock(&record_.mu);
  return record_.mu.AwaitWithTimeout(absl::Condition(&ended_), limit);
}

const std::optional<client::CallError>& Consumer::error() const {
  return subscriber_ != nullptr ? subscriber_->error() : consumer_->error();
}

client::Notices Consumer::MakeNotices() {
  client::Notices notices;
  notices.on_started = [this](const v1::Started&) { Note("started", {}); };
  notices.on_heartbeat = [this](const v1::Heartbeat& heartbeat) {
    Note("heartbeat", {"", "", heartbeat.caught_up(), static_cast<int64_t>(heartbeat.lag_events())});
  };
  notices.on_gap = [this](const v1::Gap&) { Note("gap", {}); };
  notices.on_interrupted = [this](const client::CallError& error, absl::Duration) {
    Note("interrupted", {client::CodeName(error.code), error.reason});
  };
  return notices;
}

void Consumer::Note(const std::string& kind, Notice notice) {
  absl::MutexLock lock(&record_.mu);
  notices_[kind].push_back(std::move(notice));
}

absl::Status Consumer::Handle(const v1::Event& event) {
  const std::string name = EventName(event);
  HoldOn(event);
  absl::MutexLock lock(&record_.mu);
  End(name);
  if (step_.fail.count(name) == 1) return absl::AbortedError("told to fail");
  record_.handled.push_back({step_.name, name, event.raw_body(), 0});
  return absl::OkStatus();
}

absl::StatusOr<client::Verdict> Consumer::HandleDelivery(const v1::Delivery& delivery) {
  const std::string name = EventName(delivery.event());
  HoldOn(delivery.event());
  absl::MutexLock lock(&record_.mu);
  End(name);
  record_.handled.push_back({step_.name, name, delivery.event().raw_body(), delivery.attempt()});
  std::deque<std::string>& answers = step_.settle[name];
  if (answers.empty()) return client::Verdict::Ack();
  const std::string answer = answers.front();
  answers.pop_front();
  if (answer == "FAIL") return absl::AbortedError("told to fail");
  client::Verdict verdict;
  if (!v1::SettlementAction_Parse(absl::StrCat("SETTLEMENT_ACTION_", answer), &verdict.action)) {
    return absl::InvalidArgumentError(answer);
  }
  return verdict;
}

void Consumer::HoldOn(const v1::Event& event) {
  const std::string name = EventName(event);
  absl::MutexLock lock(&record_.mu);
  record_.events[name] = event;
  record_.running.emplace_back(step_.name, name);
  const auto released = [&] { return step_.hold.count(name) == 0; };
  record_.mu.Await(absl::Condition(&released));
}

void Consumer::End(const std::string& event) {
  record_.running.erase(std::find(record_.running.begin(), record_.running.end(), std::pair(step_.name, event)));
}

}  // namespace aulm::gateway::conformance
