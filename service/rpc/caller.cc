#include "service/rpc/caller.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "service/base/status_details.h"

namespace aulm::gateway {
namespace {

constexpr absl::Duration kRetryWhenFull = absl::Seconds(5);

std::shared_ptr<const EventVisibility> VisibilityOf(const CallerSettings& settings) {
  if (settings.accounts.all && settings.session_ids.all) return nullptr;
  auto visibility = std::make_shared<EventVisibility>();
  if (!settings.accounts.all) visibility->accounts = settings.accounts.names;
  if (!settings.session_ids.all) visibility->session_ids = settings.session_ids.names;
  return visibility;
}

bool AllowsNothing(const AllowList& list) { return !list.all && list.names.empty(); }

}  // namespace

Caller::Caller(const CallerSettings& settings, CallerMetrics& metrics, const Clock& clock)
    : settings_(settings),
      visibility_(VisibilityOf(settings)),
      send_rate_(settings.sends_per_second > 0 ? std::make_shared<SendRate>(settings.sends_per_second, clock)
                                               : nullptr),
      metrics_(metrics.Add(settings.name)) {}

CallerSettings Caller::Anyone() {
  CallerSettings settings;
  settings.methods.all = settings.accounts.all = settings.session_ids.all = true;
  return settings;
}

absl::Status Caller::Denied(absl::string_view permission, absl::string_view value, absl::string_view message) const {
  return GatewayError(GatewayReason::kCallerNotAllowed,
                      absl::StrCat("the caller ", name(), " may not ", message,
                                   ": whoever runs the gateway can add it to ", permission, " of this caller"),
                      {{"caller", name()}, {"permission", permission}, {"value", value}});
}

absl::Status Caller::MayCall(absl::string_view method) const {
  if (settings_.methods.Allows(method)) return absl::OkStatus();
  return Denied("methods", method, absl::StrCat("call ", method));
}

absl::Status Caller::MayUseAccount(absl::string_view account) const {
  if (settings_.accounts.Allows(account)) return absl::OkStatus();
  return Denied("accounts", account, absl::StrCat("use the account ", account));
}

absl::Status Caller::MayUseSession(absl::string_view session_id, const AccountDirectory& accounts) const {
  if (!settings_.session_ids.all && !settings_.session_ids.names.contains(absl::AsciiStrToLower(session_id))) {
    return Denied("session_ids", session_id, absl::StrCat("use the session ", session_id));
  }
  if (settings_.accounts.all) return absl::OkStatus();
  const auto client = accounts.ForSession(session_id);
  return client.ok() ? MayUseAccount((*client)->account()) : absl::OkStatus();
}

absl::Status Caller::MaySeeEvents(const v1::EventFilter& filter) const {
  if (AllowsNothing(settings_.accounts)) return Denied("accounts", "*", "see any account's events");
  if (settings_.session_ids.all) return absl::OkStatus();
  if (AllowsNothing(settings_.session_ids)) return Denied("session_ids", "*", "see any session's events");
  for (const std::string& session_id : filter.session_ids()) {
    if (!settings_.session_ids.names.contains(absl::AsciiStrToLower(session_id))) {
      return Denied("session_ids", session_id, absl::StrCat("see the session ", session_id));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<Caller::StreamSlot> Caller::TakeStream() {
  const size_t most = settings_.max_streams;
  size_t open = streams_.load();
  do {
    if (most > 0 && open >= most) {
      absl::Status full =
          GatewayError(GatewayReason::kOverloaded,
                       absl::StrCat("the caller ", name(), " has ", most, " streams open, as many as it may ",
                                    "(callers[].max_streams): end one of them, or repeat later"),
                       {{"caller", name()}});
      SetRetryDelay(full, kRetryWhenFull);
      return full;
    }
  } while (!streams_.compare_exchange_weak(open, open + 1));
  metrics_.NoteStreams(open + 1);
  return StreamSlot(*this);
}

void Caller::GiveBackStream() { metrics_.NoteStreams(streams_.fetch_sub(1) - 1); }

}  // namespace aulm::gateway
