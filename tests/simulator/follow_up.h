#pragma once

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "tests/simulator/account_table.h"
#include "tests/simulator/magic_number.h"
#include "tests/simulator/scheduler.h"
#include "tests/simulator/send_request.h"

namespace aulm::simulator {

// What WhatsApp does after a message was accepted: its statuses arrive one after another, and in echo mode the
// recipient answers. Called by the API once per accepted send. Not thread-safe.
class FollowUp {
 public:
  struct Settings {
    std::vector<std::string> statuses = {"sent", "delivered", "read"};
    absl::Duration status_delay = absl::Milliseconds(50);  // before each status
    bool echo = false;
    absl::Duration echo_delay = absl::Milliseconds(200);
  };

  FollowUp(Scheduler& scheduler, Settings settings) : scheduler_(scheduler), settings_(std::move(settings)) {}

  // `magic` is null for an ordinary recipient. `account` must outlive the follow-up.
  void Accepted(Account& account, const SendRequest& send, const std::string& message_id, const MagicNumber* magic);

 private:
  std::vector<std::string> StatusesFor(const MagicNumber* magic) const;

  Scheduler& scheduler_;
  const Settings settings_;
};

}  // namespace aulm::simulator
