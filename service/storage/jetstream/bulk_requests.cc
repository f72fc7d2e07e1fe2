#include "service/storage/jetstream/bulk_requests.h"

#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace aulm::gateway {

BulkRequests::BulkRequests(NatsConnection& connection, const Clock& clock, absl::Duration timeout)
    : connection_(connection), clock_(clock), timeout_(timeout), inbox_(NatsConnection::NewInbox()) {}

absl::Status BulkRequests::Start() {
  auto answers = connection_.SubscribeOnLoop(
      absl::StrCat(inbox_, ".*"),
      {[this](NatsMessage message) { OnAnswer(std::move(message)); },
       [this] { FailAll(absl::UnavailableError("nats: nobody answers: the stream has no leader")); }});
  if (!answers.ok()) return answers.status();
  answers_ = *std::move(answers);
  return absl::OkStatus();
}

void BulkRequests::Send(const std::string& subject, const NatsConnection::Headers& headers, absl::string_view data,
                        Callback done) {
  const uint64_t id = first_ + open_.size();
  open_.push_back({clock_.Now() + timeout_, std::move(done)});
  absl::Status sent = connection_.Publish(subject, absl::StrCat(inbox_, ".", id), headers, data);
  if (sent.ok()) return;
  connection_.loop().Post([this, id, sent = std::move(sent)] { Finish(id, sent); });
}

void BulkRequests::Tick() {
  const absl::Time now = clock_.Now();
  while (!open_.empty() && open_.front().deadline <= now) {
    Finish(first_, absl::DeadlineExceededError("nats: no answer in time"));
  }
}

void BulkRequests::FailAll(const absl::Status& why) {
  // Not what is sent meanwhile.
  const uint64_t end = first_ + open_.size();
  for (uint64_t id = first_; id < end; ++id) Finish(id, why);
}

void BulkRequests::Stop() {
  answers_.reset();
  FailAll(absl::UnavailableError("nats: the store is closing"));
}

void BulkRequests::OnAnswer(NatsMessage message) {
  uint64_t id = 0;
  if (absl::SimpleAtoi(message.subject().substr(inbox_.size() + 1), &id)) Finish(id, std::move(message));
}

void BulkRequests::Finish(uint64_t id, absl::StatusOr<NatsMessage> answer) {
  if (id < first_ || id - first_ >= open_.size()) return;  // too late
  Callback done = std::exchange(open_[id - first_].done, nullptr);
  while (!open_.empty() && open_.front().done == nullptr) {
    open_.pop_front();
    ++first_;
  }
  if (done != nullptr) std::move(done)(std::move(answer));
}

}  // namespace aulm::gateway
