#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "aulm/gateway/client/event_subscriber.h"
#include "aulm/gateway/client/file_cursor_store.h"
#include "aulm/gateway/client/gateway_client.h"
#include "aulm/gateway/client/shared_consumer.h"

namespace aulm::gateway::conformance {

// What all consumers of a case did, in the order of time. Waiting with AwaitWithTimeout on mu sees every change.
struct Record {
  // A handler that has ended.
  struct Handled {
    std::string consumer, event, raw_body;
    uint32_t attempt;
  };

  absl::Mutex mu;
  std::map<std::string, v1::Event> events ABSL_GUARDED_BY(mu);
  std::vector<Handled> handled ABSL_GUARDED_BY(mu);
  std::vector<std::pair<std::string, std::string>> running ABSL_GUARDED_BY(mu);  // consumer and event
};

// How the table calls an event.
std::string EventName(const v1::Event& event);

// One subscribe step.
class Consumer {
 public:
  struct Step {
    std::string name;
    v1::SubscribeEventsRequest request;
    bool shared = false;
    int concurrency = 1;
    std::string cursor_file;  // empty: none
    std::set<std::string> hold, fail;
    std::map<std::string, std::deque<std::string>> settle;
  };
  struct Notice {
    std::string code, reason;
    bool caught_up = false;
    int64_t lag_events = 0;
  };

  Consumer(const client::GatewayClient& gateway, Record& record, Step step);
  Consumer(const Consumer&) = delete;
  Consumer& operator=(const Consumer&) = delete;
  // Stops it, and lets the handlers go that are held.
  ~Consumer();

  void Stop();
  void Release(const std::vector<std::string>& events);

  // Waits for its end; false when that did not come.
  bool AwaitEnd(absl::Duration limit);
  // How it ended. After that.
  const absl::Status& status() const { return status_; }
  const std::optional<client::CallError>& error() const;

  // Under record.mu.
  std::map<std::string, std::vector<Notice>>& notices() { return notices_; }

 private:
  client::Notices MakeNotices();
  void Note(const std::string& kind, Notice notice);
  absl::Status Handle(const v1::Event& event);
  absl::StatusOr<client::Verdict> HandleDelivery(const v1::Delivery& delivery);
  void HoldOn(const v1::Event& event);
  void End(const std::string& event) ABSL_EXCLUSIVE_LOCKS_REQUIRED(record_.mu);

  Record& record_;
  Step step_;  // hold and settle under record_.mu
  std::map<std::string, std::vector<Notice>> notices_;
  std::optional<client::FileCursorStore> store_;
  std::unique_ptr<client::EventSubscriber> subscriber_;
  std::unique_ptr<client::SharedConsumer> consumer_;
  bool ended_ = false;  // under record_.mu
  absl::Status status_;
  std::thread thread_;
};

}  // namespace aulm::gateway::conformance
