#include "service/messaging/sends_elsewhere.h"

#include <algorithm>
#include <utility>

#include "aulm/gateway/state/v1/peer_news.pb.h"

namespace aulm::gateway {
namespace {

namespace stored = aulm::gateway::state::v1;

constexpr absl::Duration kTellAgain = absl::Seconds(1);
// Two tellings more than one, so that a late one does no harm, and a send that has ended has been settled by then.
constexpr absl::Duration kRemembered = absl::Seconds(3);
// In one piece of news: some 100 bytes each, of 64 KiB.
constexpr size_t kMaxSessions = 500;

}  // namespace

std::shared_ptr<SendsElsewhere> SendsElsewhere::Create(PeerChannel& peers, Clock& clock) {
  std::shared_ptr<SendsElsewhere> made(new SendsElsewhere(peers, clock));
  const std::weak_ptr<SendsElsewhere> weak = made;
  peers.Listen({[weak](absl::string_view news) {
                  if (const auto self = weak.lock()) self->OnNews(news);
                },
                [weak](bool hears) {
                  if (const auto self = weak.lock()) self->OnHearing(hears);
                }});
  return made;
}

void SendsElsewhere::Begin(absl::string_view session) {
  bool first;
  {
    absl::MutexLock lock(&mutex_);
    const bool telling = !ours_.empty();
    const auto [place, added] = ours_.try_emplace(session, 0);
    ++place->second;
    if (!added) return;
    first = !telling;
  }
  Tell({std::string(session)});
  if (first) TellLater();
}

void SendsElsewhere::End(absl::string_view session) {
  absl::MutexLock lock(&mutex_);
  if (const auto place = ours_.find(session); place != ours_.end()) --place->second;
}

bool SendsElsewhere::Possible(absl::string_view session) const {
  const absl::Time now = clock_.Now();
  absl::MutexLock lock(&mutex_);
  if (now < unsure_until_) return true;
  const auto told = others_.find(session);
  return told != others_.end() && now < told->second;
}

void SendsElsewhere::Tell(const std::vector<std::string>& sessions) {
  for (size_t begin = 0; begin < sessions.size(); begin += kMaxSessions) {
    stored::PeerNews news;
    for (size_t i = begin; i < std::min(begin + kMaxSessions, sessions.size()); ++i) {
      news.add_sending_sessions(sessions[i]);
    }
    peers_.Tell(news.SerializeAsString());
  }
}

void SendsElsewhere::TellLater() {
  clock_.CallAfter(kTellAgain, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->TellAgain();
  });
}

void SendsElsewhere::TellAgain() {
  std::vector<std::string> under_way;
  {
    absl::MutexLock lock(&mutex_);
    absl::erase_if(ours_, [](const auto& session) { return session.second == 0; });
    under_way.reserve(ours_.size());
    for (const auto& session : ours_) under_way.push_back(session.first);
  }
  if (under_way.empty()) return;
  Tell(under_way);
  TellLater();
}

void SendsElsewhere::OnNews(absl::string_view news) {
  stored::PeerNews told;
  if (!told.ParseFromArray(news.data(), static_cast<int>(news.size()))) return;
  const absl::Time now = clock_.Now();
  absl::MutexLock lock(&mutex_);
  if (now >= forget_at_) {
    absl::erase_if(others_, [now](const auto& session) { return now >= session.second; });
    forget_at_ = now + kRemembered;
  }
  for (const std::string& session : told.sending_sessions()) others_[session] = now + kRemembered;
}

void SendsElsewhere::OnHearing(bool hears) {
  std::vector<std::string> told;
  {
    absl::MutexLock lock(&mutex_);
    unsure_until_ = hears ? clock_.Now() + kRemembered : absl::InfiniteFuture();
    for (const auto& session : ours_) told.push_back(session.first);
  }
  if (hears) Tell(told);  // of these the others may not have heard
}

}  // namespace aulm::gateway
