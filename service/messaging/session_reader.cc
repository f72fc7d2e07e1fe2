#include "service/messaging/session_reader.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "service/base/status_details.h"

namespace aulm::gateway {
namespace {

constexpr size_t kRemembered = 10'000;

std::string KeyOf(absl::string_view account, absl::string_view session_id) {
  return absl::StrCat(account, "/", absl::AsciiStrToLower(session_id));
}

absl::Status Late() {
  return GatewayError(GatewayReason::kCallDeadline, "aulm did not answer before the call's deadline; try again");
}

}  // namespace

std::shared_ptr<SessionReader> SessionReader::Create(absl::Duration max_age, Clock& clock) {
  return std::shared_ptr<SessionReader>(new SessionReader(max_age, clock));
}

void SessionReader::Read(AulmClient& client, absl::string_view session_id, absl::Time answer_by,
                         absl::string_view traceparent, Done done) {
  const std::string key = KeyOf(client.account(), session_id);
  const absl::Time now = clock_.Now();
  std::optional<absl::StatusOr<Reading>> at_once;
  bool first = false;
  if (answer_by <= now) {
    at_once = Late();
  } else {
    absl::MutexLock lock(&mutex_);
    if (sessions_.size() > kRemembered) {
      absl::erase_if(sessions_, [](const auto& entry) { return !entry.second.under_way; });
    }
    Session& session = sessions_[key];
    if (session.last.has_value() && session.last->observed + max_age_ > now) {
      at_once = *session.last;
    } else {
      first = !std::exchange(session.under_way, true);
      Waiter& waiter = session.waiters.emplace_back(Waiter{next_waiter_++, answer_by, std::exchange(done, nullptr)});
      if (!first) {  // the first one's deadline is watched by aulm's client
        waiter.timer = clock_.CallAfter(answer_by - now, [weak = weak_from_this(), key, id = waiter.id] {
          if (const auto self = weak.lock()) self->GiveUp(key, id);
        });
      }
    }
  }
  if (at_once.has_value()) return std::move(done)(*at_once);
  if (first) Ask(client, std::string(session_id), answer_by, traceparent);
}

void SessionReader::Ask(AulmClient& client, const std::string& session_id, absl::Time answer_by,
                        absl::string_view traceparent) {
  client.GetSessionStatus(
      session_id, {answer_by, traceparent},
      [self = shared_from_this(), &client, session_id](const absl::StatusOr<SessionStatus>& status) {
        self->OnRead(client, session_id, status);
      });
}

void SessionReader::OnRead(AulmClient& client, const std::string& session_id,
                           const absl::StatusOr<SessionStatus>& status) {
  const absl::Time now = clock_.Now();
  const absl::StatusOr<Reading> reading =
      status.ok() ? absl::StatusOr<Reading>(Reading{*status, now}) : absl::StatusOr<Reading>(status.status());
  std::list<Waiter> answered;
  absl::Time again_by = absl::InfinitePast();
  {
    absl::MutexLock lock(&mutex_);
    Session& session = sessions_[KeyOf(client.account(), session_id)];
    answered.swap(session.waiters);
    if (reading.ok()) session.last = *reading;
    if (HasReason(reading.status(), GatewayReason::kCallDeadline)) {
      // The first one's time was up; who has more of it asks again.
      for (auto waiter = answered.begin(); waiter != answered.end();) {
        const auto next = std::next(waiter);
        if (waiter->answer_by > now) {
          again_by = std::max(again_by, waiter->answer_by);
          session.waiters.splice(session.waiters.end(), answered, waiter);
        }
        waiter = next;
      }
    }
    session.under_way = !session.waiters.empty();
  }
  if (reading.ok() && observer_) observer_(client.account(), session_id, *reading);
  for (Waiter& waiter : answered) {
    if (waiter.timer != 0) clock_.Cancel(waiter.timer);
    std::move(waiter.done)(reading);
  }
  if (again_by > now) Ask(client, session_id, again_by, "");
}

void SessionReader::GiveUp(const std::string& key, uint64_t waiter) {
  std::list<Waiter> late;
  {
    absl::MutexLock lock(&mutex_);
    const auto session = sessions_.find(key);
    if (session == sessions_.end()) return;
    std::list<Waiter>& waiters = session->second.waiters;
    const auto place = std::find_if(waiters.begin(), waiters.end(), [&](const Waiter& w) { return w.id == waiter; });
    if (place == waiters.end()) return;
    late.splice(late.end(), waiters, place);
  }
  std::move(late.front().done)(Late());
}

}  // namespace aulm::gateway
