#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "prometheus/registry.h"
#include "service/base/system_random.h"
#include "service/storage/store.h"
#include "tests/support/nats_server.h"
#include "tests/support/shifted_clock.h"
#include "tests/support/store_calls.h"
#include "tests/support/temp_folder.h"

namespace aulm::gateway {

// Stores opened in the test's own process, on a nats-server of its own.
class NatsStoreTest : public testing::Test {
 protected:
  // `more`: lines of the server's configuration.
  void StartServer(const std::string& more = "") {
    auto server = NatsServer::Start({.folder = folder_.path(), .more = more});
    ASSERT_TRUE(server.ok()) << server.status();
    nats_ = *std::move(server);
    options_.url = absl::StrCat("nats://", nats_->address());
  }

  absl::StatusOr<Store> Open(const StoreOptions& options) {
    registries_.push_back(std::make_unique<prometheus::Registry>());
    return OpenStore(options, clock_, random_, *registries_.back());
  }

  static NewEvent EventOf(const std::string& id) {
    NewEvent event;
    event.account = "shop";
    event.session_id = "s-1";
    event.peer = "+966512345678";
    event.type = 1;
    event.delivery_id = id;
    event.event = "event " + id;
    event.raw_body = "body " + id;
    return event;
  }

  static std::vector<std::string> IdsOf(EventLog& log, uint64_t after = 0) {
    std::vector<std::string> ids;
    while (true) {
      const absl::StatusOr<EventPage> page = log.Read(after, {});
      EXPECT_TRUE(page.ok()) << page.status();
      if (!page.ok()) return ids;
      for (const LoggedEvent& event : page->events) ids.emplace_back(event.delivery_id);
      if (page->end_of_log) return ids;
      after = page->events.back().sequence;
    }
  }

  TempFolder folder_;
  ShiftedClock clock_;
  SystemRandom random_;
  std::vector<std::unique_ptr<prometheus::Registry>> registries_;
  std::unique_ptr<NatsServer> nats_;
  StoreOptions options_;
};

}  // namespace aulm::gateway
