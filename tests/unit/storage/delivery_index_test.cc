#include "service/storage/sqlite/delivery_index.h"

#include <limits>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "service/storage/delivery_key.h"
#include "service/storage/event_record.h"
#include "service/storage/sqlite/log_table.h"
#include "service/storage/sqlite/schema.h"
#include "tests/support/temp_folder.h"

namespace aulm::gateway {
namespace {

constexpr int kManyKeys = 33'000;  // enough for a merge to be due
constexpr int64_t kNowMs = 1'780'000'000'000;

class DeliveryIndexTest : public testing::Test {
 protected:
  DeliveryIndexTest() { Open(); }

  void Open() {
    index_.reset();
    log_.reset();
    connection_ = Connection();
    connection_ = Connection::Open(absl::StrCat(folder_.path(), "/gateway.db"), Connection::Use::kWriter).value();
    ASSERT_TRUE(MigrateSchema(connection_, SchemaHistory()).ok());
    log_ = std::make_unique<LogTable>(LogTable::Open(connection_, /*fresh_epoch=*/7).value());
    index_ = DeliveryIndex::Open(connection_).value();
  }

  void Begin() { ASSERT_TRUE(connection_.Execute("BEGIN").ok()); }

  void Commit() {
    ASSERT_TRUE(connection_.Execute("COMMIT").ok());
    index_->Committed();
  }

  void RollBack(const LogTable::Position& before) {
    connection_.RollBack();
    log_->Restore(before);
    index_->RolledBack();
  }

  static std::string KeyOf(int number) { return DeliveryKey("default", absl::StrCat("d-", number)); }

  // Stores the events `from` to `to` - 1, as the writer does.
  void Store(int from, int to) {
    for (int number = from; number < to; ++number) {
      NewEvent event;
      event.account = "default";
      event.delivery_id = absl::StrCat("d-", number);
      const absl::StatusOr<uint64_t> sequence = log_->Append(EncodeEventRecord(event), "", kNowMs);
      ASSERT_TRUE(sequence.ok());
      index_->Add(KeyOf(number), *sequence, kNowMs);
    }
  }

  // Merges to the end; gives the number of steps.
  int Merge() {
    int steps = 0;
    do {
      Begin();
      EXPECT_TRUE(index_->MergeStep(log_->position().head).value());
      Commit();
      ++steps;
    } while (index_->MergeIsDue());
    return steps;
  }

  // Every key from 0 on is known, with its sequence, and the next is not.
  void ExpectKnown(int count) {
    for (int number = 0; number < count; ++number) {
      ASSERT_EQ(index_->Find(KeyOf(number)).value(), static_cast<uint64_t>(number) + 1) << number;
    }
    EXPECT_EQ(index_->Find(KeyOf(count)).value(), 0u);
  }

  int64_t Rows() { return connection_.QueryInteger("SELECT count(*) FROM deliveries").value(); }

  TempFolder folder_;
  Connection connection_;
  std::unique_ptr<LogTable> log_;
  std::unique_ptr<DeliveryIndex> index_;
};

TEST_F(DeliveryIndexTest, NewKeysCostTheTableNothing) {
  Begin();
  Store(0, 100);
  Commit();

  ExpectKnown(100);
  EXPECT_EQ(Rows(), 0);
  EXPECT_FALSE(index_->MergeIsDue());
  EXPECT_EQ(index_->FirstUnmerged(), 1u);
}

TEST_F(DeliveryIndexTest, KeysOfATransactionThatFailedAreForgotten) {
  Begin();
  Store(0, 10);
  Commit();
  const LogTable::Position before = log_->position();
  Begin();
  Store(10, 20);
  RollBack(before);

  ExpectKnown(10);
}

TEST_F(DeliveryIndexTest, UnmergedKeysAreReadFromTheirEventsAtTheStart) {
  Begin();
  Store(0, 100);
  Commit();

  Open();

  ExpectKnown(100);
  EXPECT_EQ(index_->FirstUnmerged(), 1u);
}

TEST_F(DeliveryIndexTest, KeysAreKnownBeforeDuringAndAfterAMerge) {
  Begin();
  Store(0, kManyKeys);
  Commit();
  ASSERT_TRUE(index_->MergeIsDue());
  for (int step = 0; step < 10; ++step) {
    Begin();
    ASSERT_TRUE(index_->MergeStep(log_->position().head).value());
    Commit();
  }
  Begin();
  Store(kManyKeys, kManyKeys + 10);
  Commit();

  ExpectKnown(kManyKeys + 10);
  EXPECT_EQ(index_->FirstUnmerged(), 1u);
  Merge();
  ExpectKnown(kManyKeys + 10);
  EXPECT_EQ(Rows(), kManyKeys);
  EXPECT_EQ(index_->FirstUnmerged(), static_cast<uint64_t>(kManyKeys) + 1);
  Open();
  ExpectKnown(kManyKeys + 10);
}

TEST_F(DeliveryIndexTest, MergeGoesInStepsOfABoundedSize) {
  Begin();
  Store(0, kManyKeys);
  Commit();

  EXPECT_GE(Merge(), kManyKeys / 256);
}

TEST_F(DeliveryIndexTest, MergeThatWasCutOffBeginsAgainAndEnds) {
  Begin();
  Store(0, 1000);
  Commit();
  for (int step = 0; step < 2; ++step) {
    Begin();
    ASSERT_TRUE(index_->MergeStep(log_->position().head).value());
    Commit();
  }
  EXPECT_EQ(Rows(), 512);

  Open();

  ExpectKnown(1000);
  Merge();
  ExpectKnown(1000);
  EXPECT_EQ(Rows(), 1000);
  EXPECT_EQ(index_->FirstUnmerged(), std::numeric_limits<uint64_t>::max());
}

TEST_F(DeliveryIndexTest, StepThatFailedIsDoneAgain) {
  Begin();
  Store(0, 600);
  Commit();
  for (int step = 0; step < 3; ++step) {
    const LogTable::Position before = log_->position();
    Begin();
    ASSERT_TRUE(index_->MergeStep(before.head).value());
    RollBack(before);
    Begin();
    ASSERT_TRUE(index_->MergeStep(before.head).value());
    Commit();
  }

  EXPECT_EQ(Rows(), 600);
  EXPECT_FALSE(index_->MergeIsDue());
  Open();
  ExpectKnown(600);
}

TEST_F(DeliveryIndexTest, NothingToMergeIsSaidSo) {
  EXPECT_FALSE(index_->MergeStep(0).value());
  EXPECT_EQ(index_->FirstUnmerged(), std::numeric_limits<uint64_t>::max());
}

}  // namespace
}  // namespace aulm::gateway
