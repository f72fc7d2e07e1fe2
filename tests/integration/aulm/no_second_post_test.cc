// A send is never made twice by libcurl: what the server sees when a kept-alive connection dies at the worst moment.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/base/status_details.h"
#include "tests/integration/aulm/aulm_test_client.h"
#include "tests/integration/aulm/scripted_server.h"

namespace aulm::gateway {
namespace {

using ::testing::HasSubstr;

TEST(NoSecondPostTest, KeptAliveConnectionThatClosesUnansweredIsSeenOnceAndUnknown) {
  ScriptedServer server([](ScriptedServer::Connection& connection) {
    // Every connection answers its first request, reads the second and closes.
    if (!connection.ReadRequest()) return;
    connection.Write(Accepted("m1"));
    connection.ReadRequest();
  });
  AulmTestClient client(server.base_url());
  ASSERT_TRUE(client.SendText("first").ok());

  const absl::StatusOr<SendResult> second = client.SendText("second");

  EXPECT_EQ(second.status().code(), absl::StatusCode::kUnknown) << second.status();
  EXPECT_EQ(ReasonOf(second.status()), "SEND_OUTCOME_UNKNOWN");
  EXPECT_EQ(OutcomeOf(second.status()), Outcome::kUnknown);
  ASSERT_EQ(server.requests().size(), 2u);
  EXPECT_THAT(server.requests()[1], HasSubstr("second"));
  EXPECT_EQ(server.received(1), "");  // libcurl connects anew before it learns that it cannot rewind
}

}  // namespace
}  // namespace aulm::gateway
