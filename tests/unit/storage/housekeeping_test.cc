#include "service/storage/sqlite/housekeeping.h"

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "service/storage/event_record.h"
#include "service/storage/sqlite/schema.h"
#include "tests/support/temp_folder.h"

namespace aulm::gateway {
namespace {

using Next = Housekeeping::Next;

const absl::Time kThen = absl::FromUnixSeconds(1'780'000'000);

class HousekeepingTest : public testing::Test {
 protected:
  HousekeepingTest() {
    connection_ = Connection::Open(absl::StrCat(folder_.path(), "/gateway.db"), Connection::Use::kWriter).value();
    EXPECT_TRUE(MigrateSchema(connection_, SchemaHistory()).ok());
    log_ = std::make_unique<LogTable>(LogTable::Open(connection_, /*fresh_epoch=*/7).value());
    deliveries_ = DeliveryIndex::Open(connection_).value();
    state_ = StateTable::Open(connection_).value();
    house_ = std::make_unique<Housekeeping>(
        connection_, *log_, *deliveries_, *state_,
        Housekeeping::Rules{absl::Hours(1), /*max_bytes=*/0, /*dedupe_retention=*/absl::Hours(1)});
  }

  void AppendMany(int count, size_t body_bytes) {
    ASSERT_TRUE(connection_.Execute("BEGIN").ok());
    NewEvent event;
    event.account = "default";
    const std::string record = EncodeEventRecord(event);
    const std::string body(body_bytes, 'b');
    for (int i = 0; i < count; ++i) ASSERT_TRUE(log_->Append(record, body, absl::ToUnixMillis(kThen)).ok());
    ASSERT_TRUE(connection_.Execute("COMMIT").ok());
  }

  TempFolder folder_;
  Connection connection_;
  std::unique_ptr<LogTable> log_;
  std::unique_ptr<DeliveryIndex> deliveries_;
  std::unique_ptr<StateTable> state_;
  std::unique_ptr<Housekeeping> house_;
};

TEST_F(HousekeepingTest, StepDeletesABoundedNumberOfEventsAndAsksForMore) {
  AppendMany(1200, 10);
  const absl::Time now = kThen + absl::Hours(2);

  EXPECT_EQ(house_->Step(now).value(), Next::kAtOnce);
  EXPECT_EQ(log_->position().earliest, 513u);
  EXPECT_EQ(house_->Step(now).value(), Next::kAtOnce);
  EXPECT_EQ(log_->position().earliest, 1025u);
  EXPECT_EQ(house_->Step(now).value(), Next::kAtOnce);
  EXPECT_EQ(log_->position().earliest, 1201u);
  EXPECT_EQ(house_->Step(now).value(), Next::kLater);
}

TEST_F(HousekeepingTest, StepDeletesABoundedNumberOfBytes) {
  AppendMany(20, 1 << 20);

  EXPECT_EQ(house_->Step(kThen + absl::Hours(2)).value(), Next::kAtOnce);

  EXPECT_GT(log_->position().earliest, 1u);
  EXPECT_LE(log_->position().earliest, 6u);
}

TEST_F(HousekeepingTest, StepWithNothingToDoAsksForRest) {
  AppendMany(10, 10);

  EXPECT_EQ(house_->Step(kThen).value(), Next::kLater);

  EXPECT_EQ(log_->position().earliest, 1u);
}

TEST_F(HousekeepingTest, MergesStateInBoundedStepsOnceThereIsMuchOfIt) {
  ASSERT_TRUE(connection_.Execute("BEGIN").ok());
  std::vector<StateRowPtr> rows;
  for (int i = 0; i < 20'000; ++i)
    rows.push_back(std::make_shared<StateRow>(StateRow{absl::StrCat("test/", i), 1, "x"}));
  ASSERT_TRUE(state_->Put(rows).ok());
  ASSERT_TRUE(connection_.Execute("COMMIT").ok());
  state_->Committed();

  int steps = 1;
  while (house_->Step(kThen).value() == Next::kAtOnce) ++steps;

  EXPECT_GT(steps, 20'000 / 1000);
  EXPECT_EQ(connection_.QueryInteger("SELECT count(*) FROM state").value(), 20'000);
  EXPECT_EQ(connection_.QueryInteger("SELECT count(*) FROM state_journal").value(), 0);
  EXPECT_EQ(state_->TakeMerged().size(), 20'000u);
}

TEST_F(HousekeepingTest, SweepGoesOnSoonUntilItCameToTheEnd) {
  ASSERT_TRUE(connection_.Execute("BEGIN").ok());
  std::vector<StateRowPtr> rows;
  for (int i = 0; i < 2500; ++i) {
    rows.push_back(std::make_shared<StateRow>(StateRow{absl::StrCat("test/", i), 1, "x", kThen}));
  }
  ASSERT_TRUE(state_->Put(rows).ok());
  state_->Committed();
  while (state_->MergeStep(1000).value()) state_->Committed();
  ASSERT_TRUE(connection_.Execute("COMMIT").ok());

  EXPECT_EQ(house_->Step(kThen).value(), Next::kSoon);
  EXPECT_EQ(connection_.QueryInteger("SELECT count(*) FROM state").value(), 1500);
  EXPECT_EQ(house_->Step(kThen).value(), Next::kSoon);
  EXPECT_EQ(house_->Step(kThen).value(), Next::kLater);
  EXPECT_EQ(connection_.QueryInteger("SELECT count(*) FROM state").value(), 0);
}

}  // namespace
}  // namespace aulm::gateway
