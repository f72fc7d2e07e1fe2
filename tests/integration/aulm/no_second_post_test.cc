// A send is never made twice by libcurl: what the server sees when a kept-alive connection dies at the worst moment.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/base/status_details.h"
#include "tests/integration/aulm/aulm_test_client.h"
#include "tests/integration/aulm/scripted_server.h"

namespace aulm::gateway {
namespace {

using ::testing::HasSubstr;

using Connection = ScriptedServer::Connection;

void ExpectDoubt(const absl::Status& status) {
  EXPECT_EQ(status.code(), absl::StatusCode::kUnknown) << status;
  EXPECT_EQ(ReasonOf(status), "SEND_OUTCOME_UNKNOWN");
  EXPECT_EQ(OutcomeOf(status), Outcome::kUnknown);
}

TEST(NoSecondPostTest, KeptAliveConnectionThatClosesUnansweredIsSeenOnceAndUnknown) {
  ScriptedServer server([](Connection& connection) {
    // Every connection answers its first request, reads the second and closes.
    if (connection.ReadRequest() && connection.Write(Accepted("m1"))) connection.ReadRequest();
  });
  AulmTestClient client(server.base_url());
  ASSERT_TRUE(client.SendText("first").ok());

  ExpectDoubt(client.SendText("second").status());

  ASSERT_EQ(server.requests().size(), 2u);
  EXPECT_THAT(server.requests()[1], HasSubstr("second"));
  EXPECT_EQ(server.received(1), "");  // libcurl connects anew before it asks
}

TEST(NoSecondPostTest, KeptAliveConnectionThatIsResetIsSeenOnceAndUnknown) {
  ScriptedServer server([](Connection& connection) {
    if (!connection.ReadRequest() || !connection.Write(Accepted("m1"))) return;
    connection.ReadRequest();
    connection.ResetAtEnd();
  });
  AulmTestClient client(server.base_url());
  ASSERT_TRUE(client.SendText("first").ok());
  ExpectDoubt(client.SendText("second").status());
  EXPECT_EQ(server.requests().size(), 2u);
  EXPECT_EQ(server.received(1), "");
}

TEST(NoSecondPostTest, KeptAliveConnectionThatClosesInTheMiddleOfAnUploadIsSeenOnceAndUnknown) {
  ScriptedServer server([](Connection& connection) {
    if (connection.ReadRequest() && connection.Write(Accepted("m1"))) connection.ReadHead();
  });
  AulmTestClient client(server.base_url());
  ASSERT_TRUE(client.SendText("first").ok());
  const ImageSource image{"", "image/png", std::string(3'000'000, 'x')};
  auto observer = std::make_shared<RecordingSendObserver>();
  client.client().SendImage({kTestSession, kTestNumber, image, ""}, {}, observer);
  ExpectDoubt(observer->Wait().status());
  EXPECT_EQ(server.received(1), "");
}

TEST(NoSecondPostTest, TheNextSendGoesOverANewConnection) {
  ScriptedServer server([](Connection& connection) {
    if (connection.ReadRequest() && connection.Write(Accepted("m1"))) connection.ReadRequest();
  });
  AulmTestClient client(server.base_url());
  ASSERT_TRUE(client.SendText("first").ok());
  ExpectDoubt(client.SendText("second").status());
  EXPECT_TRUE(client.SendText("third").ok());
}

TEST(NoSecondPostTest, AReadIsMadeAgainByItself) {
  ScriptedServer server([](Connection& connection) {
    if (connection.ReadRequest() && connection.Write(Answer(200, R"({"data":{"status":"connected"}})"))) {
      connection.ReadRequest();
    }
  });
  AulmTestClient client(server.base_url());
  ASSERT_TRUE(client.GetSessionStatus().ok());
  EXPECT_TRUE(client.GetSessionStatus().ok());  // repeating it does no harm
  EXPECT_EQ(server.requests().size(), 3u);
}

}  // namespace
}  // namespace aulm::gateway
