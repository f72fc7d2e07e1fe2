#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ssl/context.hpp>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "tests/simulator/webhook_connection.h"
#include "tests/simulator/webhook_url.h"

namespace aulm::simulator {

// Many webhooks as fast as an endpoint takes them (or at a set rate), for benchmarks and crash tests: each has its own
// delivery id and a right signature, none passes through a delivery queue. One blast at a time. Belongs to the
// io_context's thread.
class Blast {
 public:
  struct Settings {
    WebhookUrl url;
    std::string secret;
    int64_t count = 1000;
    int concurrency = 16;        // connections, each with one webhook in flight
    double rate_per_second = 0;  // 0: as fast as possible
    bool retry = false;          // a webhook that is not answered 2xx is sent again, until it is
    absl::Duration retry_delay = absl::Milliseconds(10);
    absl::Duration timeout = absl::Seconds(5);
    std::string event = "inbound_message";  // or message_status
    std::string session_id;
    int peers = 100;  // how many different numbers they come from
    int body_characters = 20;
    bool keep_ids = false;  // remember which delivery ids were answered 2xx
    // Webhooks come at the set rate however slowly they are answered: one that finds every connection busy is held back
    // and counted, where it would otherwise wait, and the rate would be the endpoint's.
    bool open_loop = false;
  };

  // How it went so far.
  struct Result {
    bool running = false;
    int64_t sent = 0;                 // attempts
    int64_t delivered = 0;            // webhooks answered 2xx
    int64_t held = 0;                 // webhooks of an open loop that found no connection
    std::map<int, int64_t> statuses;  // attempts by HTTP status; 0: no answer
    std::string last_error;
    double elapsed_us = 0;
    std::vector<uint32_t> latencies_us;  // of the attempts that were answered 2xx, in no order
    std::vector<std::string> delivered_ids;
  };

  Blast(boost::asio::io_context& io, boost::asio::ssl::context& tls) : io_(io), tls_(tls) {}

  // kFailedPrecondition while another runs. Returns at once.
  absl::Status Start(Settings settings);

  // Ends the blast that runs: what is in flight is still counted.
  void Stop();

  Result Read() const;

 private:
  // One blast; its connections hold it.
  struct Run;
  static boost::asio::awaitable<void> Connection(std::shared_ptr<Run> run);
  static boost::asio::awaitable<void> Arrivals(std::shared_ptr<Run> run);
  static boost::asio::awaitable<void> Arrival(std::shared_ptr<Run> run, std::unique_ptr<WebhookConnection> connection,
                                              int64_t index);
  // Posts webhook number `index` until it is done with.
  static boost::asio::awaitable<void> Deliver(Run& run, WebhookConnection& connection, int64_t index);

  boost::asio::io_context& io_;
  boost::asio::ssl::context& tls_;
  std::shared_ptr<Run> run_;
};

}  // namespace aulm::simulator
