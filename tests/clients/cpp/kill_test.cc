// 10,000 events while the gateway is killed 10 times: the follower sees every event once, in the order of the log.
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "aulm/gateway/client/channel.h"
#include "aulm/gateway/client/event_follower.h"
#include "aulm/gateway/client/file_cursor_store.h"
#include "aulm/gateway/client/gateway_client.h"
#include "gtest/gtest.h"
#include "tests/clients/cpp/world.h"

namespace aulm::gateway::conformance {
namespace {

TEST(ClientKillTest, EveryEventOnceAndInOrderOverKills) {
  constexpr size_t kEvents = 10'000;
  constexpr size_t kKills = 10;
  World world({"--webhook-concurrency=8"});
  const client::GatewayClient gateway(*client::OpenChannel({.target = world.grpc_address()}));
  world.Control("POST", "blast",
                {{"count", kEvents},
                 {"concurrency", 8},
                 {"retry", true},
                 {"retry_delay_ms", 20},
                 {"peers", 50},
                 {"rate_per_second", 4000}});

  client::FileCursorStore position(absl::StrCat(world.folder(), "/position"));
  client::FollowOptions options;
  options.request.set_position(v1::START_POSITION_EARLIEST);
  options.cursor_store = &position;
  options.least_backoff = absl::Milliseconds(20);
  options.most_backoff = absl::Milliseconds(200);
  client::EventFollower follower(gateway.channel(), options);
  std::vector<v1::Event> seen;
  constexpr size_t kEvery = kEvents / (kKills + 1);
  while (seen.size() < kEvents) {
    std::optional<v1::Event> event = follower.Next();
    ASSERT_TRUE(event.has_value()) << *follower.error();
    seen.push_back(*std::move(event));
    if (seen.size() % kEvery == 0 && seen.size() / kEvery <= kKills) {
      world.KillGateway();
      world.StartGateway();
    }
  }

  std::vector<std::string> log;
  std::set<std::string> deliveries;
  v1::ReadEventsRequest request;
  request.set_position(v1::START_POSITION_EARLIEST);
  request.set_page_size(1000);
  for (bool end = false; !end;) {
    const auto page = gateway.ReadEvents(request);
    ASSERT_TRUE(page.ok()) << page.error();
    for (const v1::Event& event : page->events()) {
      log.push_back(event.cursor());
      deliveries.insert(event.delivery_id());
    }
    end = page->end_of_log();
    request.set_after_cursor(page->next_cursor());
  }
  std::vector<std::string> cursors;
  for (const v1::Event& event : seen) cursors.push_back(event.cursor());
  EXPECT_EQ(cursors.size(), log.size());
  EXPECT_TRUE(cursors == log);
  EXPECT_EQ(deliveries.size(), kEvents);
}

}  // namespace
}  // namespace aulm::gateway::conformance
