#include "service/storage/jetstream/state_requests.h"

#include <utility>

namespace aulm::gateway {

void StateRequests::Send(std::string stream, std::string subject, NatsConnection::Headers headers, std::string data,
                         Callback done) {
  {
    absl::MutexLock lock(&mutex_);
    unsent_.push_back({std::move(stream), std::move(subject), std::move(headers), std::move(data), std::move(done)});
    if (unsent_.size() > 1) return;  // the loop has been told
  }
  loop_.Post([this] { SendAll(); });
}

void StateRequests::SendAll() {
  std::vector<Request> requests;
  {
    absl::MutexLock lock(&mutex_);
    requests.swap(unsent_);
  }
  for (Request& request : requests) {
    const absl::StatusOr<BulkRequests*> stream = StreamOf(request.stream);
    if (!stream.ok()) {
      OnAnswer(std::move(request.done), stream.status());
      continue;
    }
    (*stream)->Send(request.subject, request.headers, request.data,
                    [this, done = std::move(request.done)](absl::StatusOr<NatsMessage> answer) mutable {
                      OnAnswer(std::move(done), std::move(answer));
                    });
  }
}

absl::StatusOr<BulkRequests*> StateRequests::StreamOf(const std::string& name) {
  if (stopped_) return absl::UnavailableError("nats: the store is closing");
  if (const auto found = streams_.find(name); found != streams_.end()) return found->second.get();
  auto stream = std::make_unique<BulkRequests>(connection_, clock_, timeout_);
  if (absl::Status failed = stream->Start(); !failed.ok()) return failed;
  return streams_.emplace(name, std::move(stream)).first->second.get();
}

void StateRequests::OnAnswer(Callback done, absl::StatusOr<NatsMessage> answer) {
  answered_.push_back({std::move(done), std::move(answer)});
  // After all that this round of the loop hands over.
  if (answered_.size() == 1) loop_.Post([this] { HandBack(); });
}

void StateRequests::HandBack() {
  thread_.Post([answered = std::exchange(answered_, {})]() mutable {
    for (Answer& each : answered) std::move(each.done)(std::move(each.answer));
  });
}

void StateRequests::FailAll(const absl::Status& why) {
  loop_.Post([this, why] {
    for (const auto& [name, stream] : streams_) stream->FailAll(why);
  });
}

void StateRequests::Tick() {
  loop_.Post([this] {
    for (const auto& [name, stream] : streams_) stream->Tick();
  });
}

void StateRequests::Stop() {
  loop_.Post([this] {
    stopped_ = true;
    for (const auto& [name, stream] : streams_) stream->Stop();
  });
  loop_.Flush();
  loop_.Flush();  // what that failed was posted after it
}

}  // namespace aulm::gateway
