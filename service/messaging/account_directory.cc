#include "service/messaging/account_directory.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "service/base/status_details.h"

namespace aulm::gateway {

void AccountDirectory::Add(std::unique_ptr<AulmClient> client, const std::vector<std::string>& session_ids) {
  for (const std::string& session_id : session_ids) by_session_[absl::AsciiStrToLower(session_id)] = client.get();
  clients_.push_back(std::move(client));
}

absl::StatusOr<AulmClient*> AccountDirectory::ForSession(absl::string_view session_id) const {
  if (const auto found = by_session_.find(absl::AsciiStrToLower(session_id)); found != by_session_.end()) {
    return found->second;
  }
  if (clients_.size() == 1) return clients_.front().get();
  FieldViolations bad;
  bad.Add("session_id",
          "belongs to none of the gateway's accounts: list it under session_ids of its account in the configuration");
  return bad.ToStatus();
}

AulmClient* AccountDirectory::Find(absl::string_view account) const {
  for (const auto& client : clients_) {
    if (client->account() == account) return client.get();
  }
  return nullptr;
}

}  // namespace aulm::gateway
