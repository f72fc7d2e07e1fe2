#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "tests/simulator/api_key_ring.h"
#include "tests/simulator/aulm_api.h"
#include "tests/simulator/delivery_queue.h"
#include "tests/simulator/follow_up.h"
#include "tests/simulator/seeded_faults.h"
#include "tests/simulator/session_table.h"

namespace aulm::simulator {

// What the command line asks for. HelpText() says what each means.
struct Options {
  bool help = false;

  std::string listen = "127.0.0.1:8090";
  std::string control_listen;
  std::string tls_certificate_file;
  std::string tls_key_file;
  absl::Duration idle_timeout = absl::Minutes(1);
  size_t max_request_bytes = size_t{16} << 20;
  bool exit_when_stdin_closes = false;

  std::vector<ApiKey> keys;
  std::vector<Session> sessions;
  int auth_failure_limit = 20;
  absl::Duration auth_cooldown = absl::Seconds(60);
  int64_t daily_limit = 1'000'000;
  int64_t trial_limit = 0;
  AulmApi::Settings api;
  size_t record_limit = 100'000;

  std::vector<std::pair<std::string, std::string>> webhook_urls;     // account, URL
  std::vector<std::pair<std::string, std::string>> webhook_secrets;  // account, secret
  std::string default_webhook_secret = "whsec_simulator";
  std::string webhook_ca_file;
  DeliveryQueue::Settings deliveries;
  FollowUp::Settings follow_up;

  SeededFaultRates fault_rates;
};

// Reads the arguments after the program's name: `--name value`, `--name=value`, or `--name` alone for a switch.
// kInvalidArgument says which argument is wrong and what is expected.
absl::StatusOr<Options> ParseOptions(const std::vector<std::string>& arguments);

// What `--help` prints.
std::string HelpText();

}  // namespace aulm::simulator
