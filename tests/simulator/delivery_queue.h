#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ssl/context.hpp>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "tests/simulator/delivery.h"
#include "tests/simulator/retry_policy.h"
#include "tests/simulator/scheduler.h"
#include "tests/simulator/seeded_faults.h"
#include "tests/simulator/webhook_connection.h"
#include "tests/simulator/webhook_signer.h"

namespace aulm::simulator {

// One account's webhook endpoint and everything that is to be delivered to it: signs, sends over keep-alive connections
// with several deliveries in flight, retries, and disables the endpoint after too many failures in a row. Belongs to
// the io_context's thread; not thread-safe.
class DeliveryQueue {
 public:
  struct Settings {
    RetryPolicy retry;
    int concurrency = 8;
    absl::Duration timeout = absl::Seconds(5);  // of one attempt
    int auto_disable_after = 20;                // failed deliveries in a row; 0: never
    bool count_every_attempt = false;           // also attempts that are retried count towards it
    size_t max_kept = 100'000;                  // deliveries that are done with and still listed
  };

  // The endpoint as it stands.
  struct Endpoint {
    std::string url;  // empty: none is registered, events then vanish
    std::string secret;
    bool enabled = true;
    int consecutive_failures = 0;
  };

  // All but the settings must outlive the queue; the queue must outlive the io_context's last run.
  DeliveryQueue(boost::asio::io_context& io, boost::asio::ssl::context& tls, Scheduler& scheduler, SeededFaults& faults,
                Settings settings);
  ~DeliveryQueue();

  // Replaces the URL; deliveries under way end at the old one. Empty: none. kInvalidArgument when it is no URL.
  absl::Status SetUrl(const std::string& url);
  // Signs every later attempt, also of deliveries that wait.
  void SetSecret(std::string secret);
  // Enabling forgets the failures counted so far.
  void SetEnabled(bool enabled);
  const Endpoint& endpoint() const { return endpoint_; }
  const WebhookUrl& url() const { return url_; }

  // Sends `delivery` when its turn comes, with its fields from `event` to `next_attempt` as given. Returns its
  // sequence.
  uint64_t Add(Delivery delivery);

  // Forgets every delivery; one whose attempt is under way ends with that attempt.
  void Clear();

  // Oldest first.
  const std::deque<std::shared_ptr<Delivery>>& deliveries() const { return deliveries_; }
  int in_flight() const { return in_flight_; }
  size_t queued() const { return ready_.size(); }

 private:
  using DeliveryPtr = std::shared_ptr<Delivery>;

  void Enqueue(DeliveryPtr delivery);
  void ReleaseHeldBack();
  void Pump();
  boost::asio::awaitable<void> Attempt(DeliveryPtr delivery);
  void Settle(const DeliveryPtr& delivery, const WebhookAnswer& answer);
  void CountFailure();
  void EvictOldest();
  std::string RequestBytes(const Delivery& delivery);

  boost::asio::io_context& io_;
  boost::asio::ssl::context& tls_;
  Scheduler& scheduler_;
  SeededFaults& faults_;
  const Settings settings_;
  Endpoint endpoint_;
  std::unique_ptr<WebhookSigner> signer_;
  WebhookUrl url_;
  uint64_t last_sequence_ = 0;
  uint64_t generation_ = 0;  // Clear() makes what was scheduled before it void
  int in_flight_ = 0;
  std::deque<DeliveryPtr> deliveries_;
  std::deque<DeliveryPtr> ready_;
  std::vector<DeliveryPtr> held_back_;
  std::vector<std::unique_ptr<WebhookConnection>> idle_;
};

}  // namespace aulm::simulator
