#include "service/storage/delivery_key.h"

#include "gtest/gtest.h"

namespace aulm::gateway {
namespace {

constexpr char kUuid[] = "0f8fad5b-d9cb-469f-a165-70867728950e";

TEST(DeliveryKeyTest, UuidTakesSixteenBytes) {
  EXPECT_EQ(DeliveryKey("", kUuid),
            std::string("u\x0f\x8f\xad\x5b\xd9\xcb\x46\x9f\xa1\x65\x70\x86\x77\x28\x95\x0e", 17));
}

TEST(DeliveryKeyTest, NoDeliveryIdGivesNoKey) { EXPECT_EQ(DeliveryKey("default", ""), ""); }

TEST(DeliveryKeyTest, AccountsHaveKeysOfTheirOwn) {
  EXPECT_NE(DeliveryKey("a", kUuid), DeliveryKey("b", kUuid));
  EXPECT_NE(DeliveryKey("a", "x"), DeliveryKey("b", "x"));
}

TEST(DeliveryKeyTest, UpperCaseUuidIsAnotherId) {
  EXPECT_NE(DeliveryKey("a", kUuid), DeliveryKey("a", "0F8FAD5B-D9CB-469F-A165-70867728950E"));
}

TEST(DeliveryKeyTest, TextThatIsNearlyAUuidIsKeptAsText) {
  for (const char* text : {"0f8fad5b-d9cb-469f-a165-70867728950g", "0f8fad5bd-9cb-469f-a165-70867728950e",
                           "0f8fad5b-d9cb-469f-a165-70867728950", "0f8fad5b-d9cb-469f-a165-70867728950e0"}) {
    EXPECT_EQ(DeliveryKey("", text)[0], 't') << text;
  }
}

TEST(DeliveryKeyTest, BorderBetweenIdAndAccountIsNeverInDoubt) {
  EXPECT_NE(DeliveryKey("bc", "a"), DeliveryKey("c", "ab"));
  EXPECT_NE(DeliveryKey("", "1:a"), DeliveryKey("a", "1:"));
}

}  // namespace
}  // namespace aulm::gateway
