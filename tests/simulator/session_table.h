#pragma once

#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace aulm::simulator {

// One WhatsApp session: the state that aulm has cached for it and whose it is.
struct Session {
  std::string id;  // lower-case uuid
  // `connected`, `disconnected`, `awaiting_scan` or any other word, given verbatim by the status endpoint. Two words
  // are the simulator's own: `disabled` answers 403 session_disabled and `not_allowed` 403 session_not_allowed.
  std::string state;
  std::string account = "default";

  bool is_connected() const { return state == "connected"; }
  bool is_disabled() const { return state == "disabled"; }
  bool is_not_allowed() const { return state == "not_allowed"; }
};

// Every session that the simulator knows; all others are session_not_found. Starts with the built-in sessions, one in
// each documented state. Used by the API (look-ups), the command line and the control API (changes). Not thread-safe.
class SessionTable {
 public:
  static constexpr absl::string_view kConnected = "00000000-0000-4000-8000-000000000001";
  static constexpr absl::string_view kDisconnected = "00000000-0000-4000-8000-000000000002";
  static constexpr absl::string_view kAwaitingScan = "00000000-0000-4000-8000-000000000003";
  static constexpr absl::string_view kDisabled = "00000000-0000-4000-8000-000000000004";
  static constexpr absl::string_view kNotAllowed = "00000000-0000-4000-8000-000000000005";
  static constexpr absl::string_view kConnectedOfSecondAccount = "00000000-0000-4000-8000-000000000006";

  SessionTable();

  // Adds the session or replaces what is known of it. kInvalidArgument when the id is no uuid or the state is empty.
  absl::Status Put(Session session);

  // The session as `account` sees it: null when unknown or another account's. Ids compare without regard to case.
  const Session* Find(absl::string_view id, absl::string_view account) const;

  const std::map<std::string, Session, std::less<>>& sessions() const { return sessions_; }

 private:
  std::map<std::string, Session, std::less<>> sessions_;
};

}  // namespace aulm::simulator
