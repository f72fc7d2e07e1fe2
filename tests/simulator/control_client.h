#pragma once

#include <boost/json/value.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "tests/simulator/delivery.h"
#include "tests/simulator/fault.h"
#include "tests/simulator/request_log.h"
#include "tests/simulator/seeded_faults.h"
#include "tests/simulator/webhook_event.h"

namespace aulm::simulator {

// What a blast is asked for; see Blast::Settings.
struct BlastRequest {
  int64_t count = 1000;
  int concurrency = 16;
  double rate_per_second = 0;  // 0: as fast as possible
  bool retry = false;          // again until it is answered 2xx
  bool keep_ids = false;       // DeliveredIds() then names what was answered 2xx
  bool open_loop = false;      // what finds every connection busy is held back
  int peers = 100;
  int body_characters = 20;
  std::string account = "default";
};

// How a blast went.
struct BlastReport {
  bool running = false;
  int64_t sent = 0;
  int64_t delivered = 0;
  int64_t held = 0;
  double elapsed_us = 0;
  double delivered_per_second = 0;
  double p50_us = 0;
  double p99_us = 0;
  double max_us = 0;
  std::string last_error;
};

// A change of an account's quota: what is set replaces what stands.
struct QuotaChange {
  std::string account = "default";
  std::optional<int64_t> daily_limit;
  std::optional<int64_t> daily_used;
  std::optional<absl::Duration> daily_reset_in;
  std::optional<int64_t> trial_limit;  // 0: not on trial
  std::optional<int64_t> trial_used;
  std::optional<absl::Duration> trial_reset_in;
};

// Steers a simulator that runs somewhere, by its control API. Every call blocks for one HTTP exchange of its own and
// reports kUnavailable when the simulator does not answer, else what it answered. Thread-safe.
class ControlClient {
 public:
  // `address` is `127.0.0.1:41234`.
  explicit ControlClient(std::string address) : address_(std::move(address)) {}

  // Any call: `path` is what follows `/_simulator/`. The result is the answer's JSON.
  absl::StatusOr<boost::json::value> Call(absl::string_view method, absl::string_view path,
                                          const boost::json::value& body = nullptr) const;

  absl::Status QueueFault(const Fault& fault) const;
  absl::Status ClearFaults() const;
  absl::Status SetSeededFaults(const SeededFaultRates& rates) const;

  // The recorded requests of the API with a sequence above `after`, oldest first.
  absl::StatusOr<std::vector<RecordedRequest>> Requests(uint64_t after = 0) const;
  absl::Status ClearRequests() const;
  // Asks until at least `count` requests are recorded; kDeadlineExceeded when they are not after `timeout`.
  absl::StatusOr<std::vector<RecordedRequest>> WaitForRequests(size_t count,
                                                               absl::Duration timeout = absl::Seconds(10)) const;

  absl::Status SetSession(absl::string_view id, absl::string_view state, absl::string_view account = "default") const;
  // `state` is active, revoked, expired or deactivated.
  absl::Status SetKey(absl::string_view key, absl::string_view state, absl::string_view account = "default") const;
  absl::Status SetQuota(const QuotaChange& change) const;
  absl::Status ClearAuthFailures() const;

  // An empty secret leaves the present one.
  absl::Status SetWebhook(absl::string_view url, absl::string_view secret = "",
                          absl::string_view account = "default") const;
  absl::Status SetWebhookSecret(absl::string_view secret, absl::string_view account = "default") const;
  absl::Status EnableWebhook(bool enabled = true, absl::string_view account = "default") const;
  absl::StatusOr<bool> IsWebhookEnabled(absl::string_view account = "default") const;

  // Sends a webhook and returns its delivery id. Empty fields get the simulator's defaults (README.md).
  absl::StatusOr<std::string> SendInbound(const InboundMessage& message, absl::string_view account = "default") const;
  absl::StatusOr<std::string> SendStatus(const MessageStatus& status, absl::string_view account = "default") const;
  // A test delivery, as the dashboard sends one.
  absl::StatusOr<std::string> SendTest(absl::string_view account = "default") const;
  // Any bytes, under any headers: `delivery`'s fields from `event` to `next_attempt`. An empty event or delivery id
  // leaves the header out; so does a `signature` that is set and empty.
  absl::StatusOr<std::string> SendRaw(const Delivery& delivery, absl::string_view account = "default") const;

  // Every delivery that is kept, of one account, oldest first.
  absl::StatusOr<std::vector<Delivery>> Deliveries(absl::string_view account = "default") const;
  absl::Status ClearDeliveries() const;
  // Asks until at least `count` deliveries are done with (delivered, failed or dropped).
  absl::StatusOr<std::vector<Delivery>> WaitForDeliveries(size_t count, absl::Duration timeout = absl::Seconds(10),
                                                          absl::string_view account = "default") const;

  absl::Status StartBlast(const BlastRequest& request) const;
  absl::Status StopBlast() const;
  absl::StatusOr<BlastReport> ReadBlast() const;
  // Asks until the blast has ended.
  absl::StatusOr<BlastReport> WaitForBlast(absl::Duration timeout = absl::Minutes(1)) const;
  absl::StatusOr<std::vector<std::string>> DeliveredIds() const;

  // Forgets faults, recorded requests, deliveries, authentication failures and used quota, and enables every endpoint;
  // keys, sessions, URLs and secrets stay.
  absl::Status Reset() const;

 private:
  absl::Status Do(absl::string_view method, absl::string_view path, const boost::json::value& body = nullptr) const;
  absl::StatusOr<std::string> Event(absl::string_view path, const boost::json::value& body) const;

  const std::string address_;
};

}  // namespace aulm::simulator
