#include "tests/simulator/session_table.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "tests/simulator/uuid.h"

namespace aulm::simulator {

SessionTable::SessionTable() {
  for (const Session& session : {
           Session{std::string(kConnected), "connected", "default"},
           Session{std::string(kDisconnected), "disconnected", "default"},
           Session{std::string(kAwaitingScan), "awaiting_scan", "default"},
           Session{std::string(kDisabled), "disabled", "default"},
           Session{std::string(kNotAllowed), "not_allowed", "default"},
           Session{std::string(kConnectedOfSecondAccount), "connected", "second"},
       }) {
    sessions_[session.id] = session;
  }
}

absl::Status SessionTable::Put(Session session) {
  if (!IsUuid(session.id)) {
    return absl::InvalidArgumentError(absl::StrCat("session id '", session.id, "' is not a uuid"));
  }
  if (session.state.empty()) return absl::InvalidArgumentError("a session's state must not be empty");
  absl::AsciiStrToLower(&session.id);
  std::string id = session.id;
  sessions_[std::move(id)] = std::move(session);
  return absl::OkStatus();
}

const Session* SessionTable::Find(absl::string_view id, absl::string_view account) const {
  auto it = sessions_.find(id);
  if (it == sessions_.end()) it = sessions_.find(absl::AsciiStrToLower({id.data(), id.size()}));
  return it == sessions_.end() || it->second.account != account ? nullptr : &it->second;
}

}  // namespace aulm::simulator
