#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "absl/strings/string_view.h"
#include "tests/simulator/delivery_queue.h"
#include "tests/simulator/quota.h"

namespace aulm::simulator {

// One customer of aulm: a quota and one webhook endpoint. Keys and sessions name their account.
struct Account {
  std::string name;
  Quota quota;
  std::unique_ptr<DeliveryQueue> webhooks;
};

// The accounts by name. Not thread-safe.
class AccountTable {
 public:
  // Makes what an account starts with.
  using Maker = std::function<Account(std::string name)>;

  explicit AccountTable(Maker maker) : maker_(std::move(maker)) {}

  // The account, made when it is first named. The reference stays valid.
  Account& Get(absl::string_view name) {
    const auto it = accounts_.find(name);
    if (it != accounts_.end()) return it->second;
    return accounts_.emplace(std::string(name), maker_(std::string(name))).first->second;
  }

  std::map<std::string, Account, std::less<>>& accounts() { return accounts_; }

 private:
  const Maker maker_;
  std::map<std::string, Account, std::less<>> accounts_;
};

}  // namespace aulm::simulator
