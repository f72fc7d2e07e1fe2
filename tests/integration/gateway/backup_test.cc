// docs/backup.md, as an operator does it with the embedded store: a copy at rest, an atomic copy at work, a restore,
// and what the gateway tells of what came after the backup.
#include <gmock/gmock.h>

#include <csignal>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "tests/integration/gateway/gateway_fixture.h"
#include "tests/support/webhook_client.h"

namespace aulm::gateway {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

constexpr auto kWholeTree = std::filesystem::copy_options::recursive;

std::string DeliveryId(int number) { return absl::StrFormat("00000000-0000-4000-8000-%012d", number); }

class BackupTest : public GatewayTest {
 protected:
  std::string store() const { return absl::StrCat(folder_, "/store"); }
  std::string backup() const { return absl::StrCat(folder_, "/backup"); }

  void Stop() {
    gateway_->process().Signal(SIGTERM);
    ASSERT_EQ(gateway_->process().Wait(absl::Seconds(30)).value_or(-1), 0);
  }

  void Deliver(int first, int last) {
    WebhookClient client(gateway_->webhook_address(), options_.webhook_secret);
    for (int number = first; number <= last; ++number) {
      const std::string id = DeliveryId(number);
      const auto status = client.Post("inbound_message", id,
                                      InboundMessageBody(id, simulator::kConnectedSession, "+966512345678", "hello"));
      ASSERT_EQ(status.value_or(0), 200) << number;
    }
  }

  // Instead of the store, its backup.
  void Restore() {
    std::filesystem::remove_all(store());
    std::filesystem::copy(backup(), store(), kWholeTree);
  }

  // The words of --check-store, which ends with this status.
  std::string CheckStore(int status = 0) {
    auto check = ChildProcess::Start({BinaryPath("aulm-gateway"), "--check-store"},
                                     {{"AULM_API_KEY", "alm_sk_test_x"},
                                      {"AULM_WEBHOOK_SECRET", "x"},
                                      {"GATEWAY_STORE", absl::StrCat("sqlite://", store())}});
    EXPECT_TRUE(check.ok()) << check.status();
    std::string words = check->ReadLine(absl::Seconds(30)).value_or("");
    EXPECT_EQ(check->Wait(absl::Seconds(30)).value_or(-1), status);
    return words;
  }

  grpc::Status Read(const std::string& after, v1::ReadEventsResponse& response) {
    grpc::ClientContext context;
    SetLimit(context);
    v1::ReadEventsRequest request;
    request.set_page_size(1000);
    if (after.empty()) {
      request.set_position(v1::START_POSITION_EARLIEST);
    } else {
      request.set_after_cursor(after);
    }
    return events_->ReadEvents(&context, request, &response);
  }

  std::vector<std::string> IdsOfAll() {
    v1::ReadEventsResponse response;
    EXPECT_TRUE(Read("", response).ok());
    std::vector<std::string> ids;
    for (const v1::Event& event : response.events()) ids.push_back(event.delivery_id());
    return ids;
  }
};

TEST_F(BackupTest, AStoreThatIsNotThereIsNotSound) {
  EXPECT_THAT(CheckStore(1), testing::HasSubstr("there is none in"));
  EXPECT_FALSE(std::filesystem::exists(store()));
}

TEST_F(BackupTest, ARestoredStoreServesWhatItHadAndRefusesCursorsOfWhatItHasNot) {
  StartGateway();
  Deliver(1, 3);
  v1::ReadEventsResponse before;
  ASSERT_TRUE(Read("", before).ok());
  Stop();
  std::filesystem::copy(store(), backup(), kWholeTree);
  StartGateway();
  Deliver(4, 6);
  v1::ReadEventsResponse after;
  ASSERT_TRUE(Read("", after).ok());
  ASSERT_THAT(after.events(), SizeIs(6));
  Stop();

  Restore();
  EXPECT_EQ(CheckStore(), "the store is sound");
  StartGateway();

  EXPECT_THAT(IdsOfAll(), ElementsAre(DeliveryId(1), DeliveryId(2), DeliveryId(3)));
  v1::ReadEventsResponse response;
  EXPECT_TRUE(Read(before.events(2).cursor(), response).ok()) << "a cursor of before the backup goes on";
  EXPECT_THAT(response.events(), IsEmpty());
  const grpc::Status lost = Read(after.events(5).cursor(), response);
  EXPECT_EQ(lost.error_code(), grpc::StatusCode::OUT_OF_RANGE);
  EXPECT_TRUE(absl::StrContains(lost.error_details(), "CURSOR_EXPIRED"));
  EXPECT_TRUE(absl::StrContains(lost.error_details(), "earliest_cursor"));

  // What the backup has seen is known again; what came after it is new again, and takes no old cursor's place.
  Deliver(2, 5);
  EXPECT_THAT(IdsOfAll(), ElementsAre(DeliveryId(1), DeliveryId(2), DeliveryId(3), DeliveryId(4), DeliveryId(5)));
  EXPECT_EQ(Read(after.events(5).cursor(), response).error_code(), grpc::StatusCode::OUT_OF_RANGE);
}

TEST_F(BackupTest, AnAtomicCopyOfARunningStoreHasEverythingThatWasAnswered200) {
  StartGateway();
  Deliver(1, 50);
  // What a snapshot of the volume is: all files at one moment.
  gateway_->process().Signal(SIGSTOP);
  std::filesystem::copy(store(), backup(), kWholeTree);
  gateway_->process().Signal(SIGCONT);
  Deliver(51, 60);
  Stop();

  Restore();
  EXPECT_EQ(CheckStore(), "the store is sound");
  StartGateway();
  EXPECT_THAT(IdsOfAll(), SizeIs(50));
}

}  // namespace
}  // namespace aulm::gateway
