#include "service/messaging/session_silence.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace aulm::gateway {
namespace {

std::string KeyOf(absl::string_view account, absl::string_view session_id) {
  return absl::StrCat(account, "/", absl::AsciiStrToLower(session_id));
}

}  // namespace

void SessionSilence::NoteSent(absl::string_view account, absl::string_view session_id, absl::Time time) {
  absl::MutexLock lock(&mutex_);
  Unanswered& unanswered = sessions_[KeyOf(account, session_id)];
  if (unanswered.sends++ == 0) unanswered.first = time;
}

void SessionSilence::NoteStatus(absl::string_view account, absl::string_view session_id) {
  const std::string key = KeyOf(account, session_id);
  absl::MutexLock lock(&mutex_);
  sessions_.erase(key);
}

std::optional<absl::Time> SessionSilence::Since(absl::string_view account, absl::string_view session_id) const {
  absl::MutexLock lock(&mutex_);
  const auto unanswered = sessions_.find(KeyOf(account, session_id));
  if (unanswered == sessions_.end() || unanswered->second.sends < kFewestSends) return std::nullopt;
  return unanswered->second.first;
}

}  // namespace aulm::gateway
