#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "gtest/gtest.h"
#include "prometheus/registry.h"
#include "service/base/system_random.h"
#include "service/storage/store.h"
#include "tests/support/fake_clock.h"
#include "tests/support/store_calls.h"
#include "tests/support/temp_folder.h"

namespace aulm::gateway {

// An embedded store in a folder of its own, with a clock that stands still and options that a test may set before it
// opens the store.
class StoreFixture : public testing::Test {
 protected:
  StoreFixture() {
    options_.url = absl::StrCat("sqlite://", StoreFolder());
    options_.on_fatal = [this](const absl::Status& status) {
      absl::MutexLock lock(&mutex_);
      fatal_.push_back(status);
    };
  }

  std::string StoreFolder() const { return absl::StrCat(folder_.path(), "/store"); }
  std::string DatabaseFile() const { return absl::StrCat(StoreFolder(), "/gateway.db"); }

  // Opens the store, closing it first where it is open.
  absl::Status TryOpen() {
    Close();
    registry_ = std::make_unique<prometheus::Registry>();
    absl::StatusOr<Store> store = OpenStore(options_, clock_, random_, *registry_);
    if (!store.ok()) return store.status();
    store_ = *std::move(store);
    return absl::OkStatus();
  }

  void Open() {
    const absl::Status opened = TryOpen();
    ASSERT_TRUE(opened.ok()) << opened;
  }

  void Close() { store_ = Store(); }

  EventLog& log() { return *store_.log; }
  StateStore& state() { return *store_.state; }

  static NewEvent EventOf(const std::string& delivery_id) {
    NewEvent event;
    event.account = "default";
    event.session_id = "11111111-2222-4333-8444-555555555555";
    event.delivery_id = delivery_id;
    event.event = absl::StrCat("event ", delivery_id);
    event.raw_body = absl::StrCat("body ", delivery_id);
    return event;
  }

  absl::StatusOr<Appended> Append(const std::string& delivery_id) { return AppendNow(log(), EventOf(delivery_id)); }

  static StateWrite PutOf(const std::string& key, const std::string& value) {
    StateWrite write;
    write.bucket = "test";
    write.key = key;
    write.value = value;
    return write;
  }

  std::vector<std::string> ReadDeliveryIds() {
    std::vector<std::string> ids;
    absl::StatusOr<EventPage> page = log().Read(0, {.max_events = 1'000'000, .max_bytes = size_t{1} << 32});
    EXPECT_TRUE(page.ok()) << page.status();
    if (!page.ok()) return ids;
    for (const LoggedEvent& event : page->events) ids.emplace_back(event.delivery_id);
    return ids;
  }

  // Moves the clock on and gives the writer `turns` turns at its housekeeping, which it does between commits.
  void PassTime(absl::Duration time, int turns = 20) {
    clock_.Advance(time);
    for (int turn = 0; turn < turns; ++turn) {
      ASSERT_TRUE(WriteNow(state(), PutOf("turn", absl::StrCat(turn))).ok());
      clock_.Advance(absl::Seconds(1));
    }
  }

  std::vector<absl::Status> fatal() {
    absl::MutexLock lock(&mutex_);
    return fatal_;
  }

  // The value of a metric without labels, or with the one given; -1 when there is none. A histogram's is its sum.
  double Metric(const std::string& name, const std::string& label_value = "") {
    for (const prometheus::MetricFamily& family : registry_->Collect()) {
      if (family.name != name) continue;
      for (const prometheus::ClientMetric& metric : family.metric) {
        if (!label_value.empty() && (metric.label.empty() || metric.label[0].value != label_value)) continue;
        if (family.type == prometheus::MetricType::Histogram) return metric.histogram.sample_sum;
        return family.type == prometheus::MetricType::Gauge ? metric.gauge.value : metric.counter.value;
      }
    }
    return -1;
  }

  TempFolder folder_;
  FakeClock clock_;
  SystemRandom random_;
  StoreOptions options_;
  std::unique_ptr<prometheus::Registry> registry_;
  absl::Mutex mutex_;
  std::vector<absl::Status> fatal_ ABSL_GUARDED_BY(mutex_);
  Store store_;
};

}  // namespace aulm::gateway
