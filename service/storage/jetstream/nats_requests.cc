#include "service/storage/jetstream/nats_requests.h"

#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"

namespace aulm::gateway {
namespace {

// How late a deadline may be noticed.
constexpr absl::Duration kExpiryStep = absl::Milliseconds(50);

}  // namespace

absl::StatusOr<std::unique_ptr<NatsRequests>> NatsRequests::Create(NatsConnection& connection, Clock& clock) {
  std::unique_ptr<NatsRequests> requests(new NatsRequests(connection, clock));
  auto answers =
      connection.Subscribe(absl::StrCat(requests->inbox_, ".*"),
                           [self = requests.get()](NatsMessage message) { self->OnAnswer(std::move(message)); });
  if (!answers.ok()) return answers.status();
  requests->answers_ = *std::move(answers);
  return requests;
}

NatsRequests::NatsRequests(NatsConnection& connection, Clock& clock)
    : connection_(connection),
      clock_(clock),
      inbox_(NatsConnection::NewInbox()),
      deadlines_(clock),
      expiry_(std::make_unique<WakeTimer>(clock, [this] { deadlines_.Post([this] { ExpireOld(); }); })) {}

NatsRequests::~NatsRequests() {
  answers_.reset();
  {
    absl::MutexLock lock(&mutex_);
    closing_ = true;
  }
  expiry_.reset();
  FailAll("the store is closing");
}

void NatsRequests::Send(const std::string& subject, const NatsConnection::Headers& headers, absl::string_view data,
                        absl::Duration timeout, Callback done) {
  uint64_t id;
  {
    absl::MutexLock lock(&mutex_);
    id = next_id_++;
    open_.try_emplace(id, Open{clock_.Now() + timeout, std::move(done)});
  }
  expiry_->Schedule(kExpiryStep);
  const absl::Status sent = connection_.Publish(subject, absl::StrCat(inbox_, ".", id), headers, data);
  if (sent.ok()) return;
  {
    absl::MutexLock lock(&mutex_);
    auto found = open_.find(id);
    if (found == open_.end()) return;  // failed with the connection
    done = std::move(found->second.done);
    open_.erase(found);
  }
  std::move(done)(sent);
}

absl::StatusOr<NatsMessage> NatsRequests::SendNow(const std::string& subject, const NatsConnection::Headers& headers,
                                                  absl::string_view data, absl::Duration timeout) {
  absl::StatusOr<NatsMessage> result = absl::UnknownError("");
  absl::Notification answered;
  Send(subject, headers, data, timeout, [&](absl::StatusOr<NatsMessage> answer) {
    result = std::move(answer);
    answered.Notify();
  });
  answered.WaitForNotification();
  return result;
}

void NatsRequests::FailAll(absl::string_view why) {
  absl::flat_hash_map<uint64_t, Open> failed;
  {
    absl::MutexLock lock(&mutex_);
    failed.swap(open_);
  }
  for (auto& [id, open] : failed) std::move(open.done)(absl::UnavailableError(absl::StrCat("nats: ", why)));
}

void NatsRequests::OnAnswer(NatsMessage message) {
  uint64_t id = 0;
  if (!absl::SimpleAtoi(message.subject().substr(inbox_.size() + 1), &id)) return;
  Callback done;
  {
    absl::MutexLock lock(&mutex_);
    auto found = open_.find(id);
    if (found == open_.end()) return;  // too late
    done = std::move(found->second.done);
    open_.erase(found);
  }
  if (message.IsNoResponders()) return std::move(done)(absl::NotFoundError("nats: nobody answers"));
  std::move(done)(std::move(message));
}

void NatsRequests::ExpireOld() {
  const absl::Time now = clock_.Now();
  std::vector<Callback> expired;
  {
    absl::MutexLock lock(&mutex_);
    for (auto it = open_.begin(); it != open_.end();) {
      if (it->second.deadline > now) {
        ++it;
        continue;
      }
      expired.push_back(std::move(it->second.done));
      open_.erase(it++);
    }
    // Under the lock, so that the timer is not going meanwhile.
    if (!open_.empty() && !closing_) expiry_->Schedule(kExpiryStep);
  }
  for (Callback& done : expired) std::move(done)(absl::DeadlineExceededError("nats: no answer in time"));
}

}  // namespace aulm::gateway
