#include "service/storage/jetstream/nats_peer_channel.h"

#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "service/base/log.h"

namespace aulm::gateway {
namespace {

// An answer that is an error: its absl::StatusCode, and the message in the body.
constexpr char kCodeHeader[] = "Aulm-Code";
constexpr size_t kMaxBytes = 64 << 10;

}  // namespace

struct NatsPeerChannel::Life {
  absl::Mutex mutex;
  bool over ABSL_GUARDED_BY(mutex) = false;
};

NatsPeerChannel::NatsPeerChannel(std::string prefix, std::string self, NatsConnection& connection,
                                 NatsRequests& requests, TaskThread& thread)
    : prefix_(std::move(prefix)),
      self_(std::move(self)),
      connection_(connection),
      requests_(requests),
      thread_(thread),
      life_(std::make_shared<Life>()) {}

std::string NatsPeerChannel::SubjectOf(absl::string_view peer) const { return absl::StrCat(prefix_, ".peers.", peer); }

void NatsPeerChannel::Ask(absl::string_view peer, std::string question, absl::Duration timeout, AskCallback done) {
  absl::Status refused;
  if (question.size() > kMaxBytes) refused = absl::InvalidArgumentError("peers: the question is too large");
  // Ids are UUIDs; what is none may come from an old record, and must not become a wildcard.
  if (peer.empty() || peer.find_first_of(".*> \t\r\n") != absl::string_view::npos) {
    refused = absl::NotFoundError("peers: there is no such replica");
  }
  thread_.Post([this, subject = SubjectOf(peer), question = std::move(question), timeout, done = std::move(done),
                refused]() mutable {
    if (!refused.ok()) return std::move(done)(refused);
    requests_.Send(subject, {}, question, timeout,
                   [done = std::move(done)](absl::StatusOr<NatsMessage> answer) mutable {
                     if (!answer.ok()) return std::move(done)(answer.status());
                     int code = 0;
                     if (absl::SimpleAtoi(answer->Header(kCodeHeader), &code) && code != 0) {
                       return std::move(done)(absl::Status(static_cast<absl::StatusCode>(code), answer->data()));
                     }
                     std::move(done)(std::string(answer->data()));
                   });
  });
}

void NatsPeerChannel::Answer(AnswerFunction answer) {
  auto questions =
      connection_.Subscribe(SubjectOf(self_), [this, life = life_, answer = std::move(answer)](NatsMessage message) {
        std::string reply(message.reply());
        answer(std::string(message.data()), [this, life, reply = std::move(reply)](absl::StatusOr<std::string> given) {
          absl::MutexLock lock(&life->mutex);
          if (life->over || reply.empty()) return;
          thread_.Post([this, reply, given = std::move(given)] {
            NatsConnection::Headers headers;
            if (!given.ok()) headers.emplace_back(kCodeHeader, absl::StrCat(static_cast<int>(given.status().code())));
            connection_.Publish(reply, "", headers, given.ok() ? absl::string_view(*given) : given.status().message())
                .IgnoreError();  // who asked will ask again, or not
          });
        });
      });
  if (!questions.ok()) {
    LogLine(LogLevel::kError, "peers_not_heard").Field("message", questions.status().message());
    return;
  }
  questions_ = *std::move(questions);
}

void NatsPeerChannel::Tell(std::string news) {
  thread_.Post([this, news = std::move(news)] {
    connection_.Publish(absl::StrCat(prefix_, ".news.", self_), "", {}, news).IgnoreError();
  });
}

void NatsPeerChannel::Listen(Listener listener) {
  {
    absl::MutexLock lock(&listening_);
    on_hearing_ = listener.on_hearing;
  }
  NatsLoop::Receiver receiver;
  receiver.on_message = [own = absl::StrCat(prefix_, ".news.", self_),
                         on_news = std::move(listener.on_news)](const NatsMessage& message) {
    if (message.subject() != own) on_news(message.data());
  };
  receiver.on_nobody = [] {};
  auto news = connection_.SubscribeOnLoop(absl::StrCat(prefix_, ".news.*"), std::move(receiver));
  if (!news.ok()) {
    LogLine(LogLevel::kError, "peers_not_heard").Field("message", news.status().message());
    return;
  }
  news_ = *std::move(news);
  listener.on_hearing(true);
}

void NatsPeerChannel::OnConnection(bool connected) {
  std::function<void(bool)> on_hearing;
  {
    absl::MutexLock lock(&listening_);
    on_hearing = on_hearing_;
  }
  if (on_hearing) on_hearing(connected);
}

void NatsPeerChannel::Stop() {
  questions_.reset();
  news_.reset();
  absl::MutexLock lock(&life_->mutex);
  life_->over = true;
}

}  // namespace aulm::gateway
