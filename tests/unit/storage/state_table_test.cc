#include "service/storage/sqlite/state_table.h"

#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "service/storage/sqlite/schema.h"
#include "service/storage/sqlite/state_reader.h"
#include "tests/support/temp_folder.h"

namespace aulm::gateway {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

StateRowPtr Row(std::string name, uint64_t revision, std::optional<std::string> value) {
  return std::make_shared<StateRow>(StateRow{std::move(name), revision, std::move(value)});
}

constexpr size_t kRowsMerged = 640;

// The table and a reader, told of each other's news as the store tells them.
class StateTableTest : public testing::Test {
 protected:
  StateTableTest() { Reopen(); }

  void Reopen() {
    reader_.reset();
    table_.reset();
    connection_ = Connection::Open(file_, Connection::Use::kWriter).value();
    ASSERT_TRUE(MigrateSchema(connection_, SchemaHistory()).ok());
    table_ = StateTable::Open(connection_).value();
    reader_ = StateReader::Open(file_, table_->Unmerged()).value();
  }

  void Commit(const std::vector<StateRowPtr>& rows) {
    ASSERT_TRUE(connection_.Execute("BEGIN").ok());
    ASSERT_TRUE(table_->Put(rows).ok());
    ASSERT_TRUE(connection_.Execute("COMMIT").ok());
    table_->Committed();
    for (const StateRowPtr& row : rows) reader_->Committed(row);
  }

  // False when there was nothing to merge.
  bool MergeStep() {
    EXPECT_TRUE(connection_.Execute("BEGIN").ok());
    const bool merged = table_->MergeStep(kRowsMerged).value();
    EXPECT_TRUE(connection_.Execute("COMMIT").ok());
    table_->Committed();
    reader_->Merged(table_->TakeMerged());
    return merged;
  }

  // "value", "-" where the row says that it is deleted, "" where there is none.
  std::string Get(const std::string& name) {
    const StateRowPtr row = reader_->Get(name).value();
    return row == nullptr ? "" : row->value.value_or("-");
  }

  std::vector<std::string> Walk(const std::string& first, const std::string& end) {
    std::vector<std::string> rows;
    reader_->Begin(first, end);
    while (const StateRowPtr row = reader_->Next().value()) {
      rows.push_back(absl::StrCat(row->name, "=", row->value.value_or("-")));
    }
    reader_->End();
    return rows;
  }

  int64_t Count(const char* table) {
    return connection_.QueryInteger(absl::StrCat("SELECT count(*) FROM ", table)).value();
  }

  TempFolder folder_;
  const std::string file_ = absl::StrCat(folder_.path(), "/gateway.db");
  Connection connection_;
  std::unique_ptr<StateTable> table_;
  std::unique_ptr<StateReader> reader_;
};

TEST_F(StateTableTest, ACommitIsOneEntryOfTheJournalAndReadAtOnce) {
  Commit({Row("b/1", 1, "one"), Row("b/2", 2, "two"), Row("b/1", 3, "three")});

  EXPECT_EQ(Count("state_journal"), 1);
  EXPECT_EQ(Count("state"), 0);
  EXPECT_EQ(Get("b/1"), "three");
  EXPECT_EQ(Get("b/2"), "two");
}

TEST_F(StateTableTest, ANewStartReadsTheJournal) {
  Commit({Row("b/1", 1, "old")});
  Commit({Row("b/1", 2, "new"), Row("b/2", 3, std::string("any\0byte", 8))});

  Reopen();

  EXPECT_EQ(Get("b/1"), "new");
  EXPECT_EQ(Get("b/2"), std::string("any\0byte", 8));
  EXPECT_EQ(reader_->Get("b/1").value()->revision, 2u);
}

TEST_F(StateTableTest, AMergePutsTheLastOfEachNameIntoTheTableAndEmptiesTheJournal) {
  Commit({Row("b/1", 1, "old"), Row("b/2", 2, "gone")});
  Commit({Row("b/1", 3, "new"), Row("b/2", 4, std::nullopt)});

  while (MergeStep()) {
  }

  EXPECT_EQ(Count("state"), 1);
  EXPECT_EQ(Count("state_journal"), 0);
  EXPECT_THAT(table_->Unmerged(), IsEmpty());
  EXPECT_EQ(Get("b/1"), "new");
  EXPECT_EQ(Get("b/2"), "");
}

TEST_F(StateTableTest, RevisionsThatBeginAnewDoNotMatter) {
  Commit({Row("b/1", 900, "old")});
  Reopen();  // another process counts from another number
  Commit({Row("b/1", 7, "new")});

  while (MergeStep()) {
  }

  EXPECT_EQ(Get("b/1"), "new");
  Reopen();
  EXPECT_EQ(Get("b/1"), "new");
}

TEST_F(StateTableTest, WhatIsWrittenDuringAMergeStaysNewer) {
  for (int i = 0; i < 1000; ++i) Commit({Row(absl::StrCat("b/", i), static_cast<uint64_t>(i + 1), "old")});
  ASSERT_TRUE(MergeStep());  // some of them
  Commit({Row("b/0", 2001, "new"), Row("b/999", 2002, "new")});
  EXPECT_EQ(Get("b/0"), "new");
  EXPECT_EQ(Get("b/999"), "new");

  // A start at any moment reads the same, and begins the merge anew.
  for (int steps = 1; !table_->Unmerged().empty(); ++steps) {
    Reopen();
    for (int step = 0; step < steps; ++step) MergeStep();
    EXPECT_EQ(Get("b/0"), "new");
    EXPECT_EQ(Get("b/999"), "new");
    EXPECT_EQ(Get("b/500"), "old");
  }
  EXPECT_EQ(Count("state"), 1000);
  EXPECT_EQ(Get("b/0"), "new");
}

TEST_F(StateTableTest, AMergeThatACommitBeginsLeavesItsOwnRowsInTheJournal) {
  Commit({Row("b/1", 1, "old"), Row("b/2", 2, "two")});
  ASSERT_TRUE(connection_.Execute("BEGIN").ok());
  ASSERT_TRUE(table_->Put({Row("b/1", 3, "new"), Row("b/3", 4, "three")}).ok());
  ASSERT_TRUE(table_->MergeStep(kRowsMerged).value());
  ASSERT_TRUE(connection_.Execute("COMMIT").ok());
  table_->Committed();
  ASSERT_TRUE(MergeStep());  // forgets what the table has now

  Reopen();

  EXPECT_EQ(Count("state_journal"), 1);
  EXPECT_EQ(Get("b/1"), "new");
  EXPECT_EQ(Get("b/2"), "two");
  EXPECT_EQ(Get("b/3"), "three");
}

TEST_F(StateTableTest, AMergeBegunByATransactionThatFailedForgetsNothingOfTheNext) {
  Commit({Row("b/1", 1, "old")});
  ASSERT_TRUE(connection_.Execute("BEGIN").ok());
  ASSERT_TRUE(table_->Put({Row("b/1", 2, "lost")}).ok());
  ASSERT_TRUE(table_->MergeStep(kRowsMerged).value());
  connection_.RollBack();
  table_->RolledBack();
  Commit({Row("b/1", 3, "new")});
  ASSERT_TRUE(MergeStep());
  ASSERT_TRUE(MergeStep());

  Reopen();

  EXPECT_EQ(Get("b/1"), "new");
}

TEST_F(StateTableTest, ATransactionThatFailedLeavesNothing) {
  Commit({Row("b/1", 1, "kept")});
  ASSERT_TRUE(connection_.Execute("BEGIN").ok());
  ASSERT_TRUE(table_->Put({Row("b/1", 2, "lost")}).ok());
  connection_.RollBack();
  table_->RolledBack();
  ASSERT_TRUE(connection_.Execute("BEGIN").ok());
  ASSERT_TRUE(table_->MergeStep(kRowsMerged).value());
  connection_.RollBack();
  table_->RolledBack();
  EXPECT_THAT(table_->TakeMerged(), IsEmpty());
  EXPECT_EQ(Get("b/1"), "kept");

  Commit({Row("b/2", 3, "after")});
  while (MergeStep()) {
  }

  EXPECT_EQ(Count("state"), 2);
  EXPECT_EQ(Count("state_journal"), 0);
  EXPECT_EQ(Get("b/1"), "kept");
}

// Whatever commits, merges within them or apart, failures and starts come together: what was committed last is read.
TEST_F(StateTableTest, ReadsWhatWasCommittedLast) {
  constexpr int kNames = 12;
  std::map<std::string, std::string> committed;
  std::mt19937 random(1);
  const auto one_in = [&random](unsigned n) { return random() % n == 0; };
  for (int step = 0; step < 1000; ++step) {
    ASSERT_TRUE(connection_.Execute("BEGIN").ok());
    std::map<std::string, std::string> next = committed;
    std::vector<StateRowPtr> rows;
    for (unsigned count = random() % 4; count > 0; --count) {
      const std::string name = absl::StrCat("b/", random() % kNames);
      const bool deleted = one_in(5);
      const std::string value = absl::StrCat(step, "-", count);
      rows.push_back(Row(name, static_cast<uint64_t>(step * 4 + 4) - count,
                         deleted ? std::nullopt : std::optional<std::string>(value)));
      next[name] = deleted ? "" : value;
    }
    ASSERT_TRUE(table_->Put(rows).ok());
    if (one_in(2)) {
      ASSERT_TRUE(table_->MergeStep(1 + random() % 12).ok());
    }
    if (one_in(5)) {
      connection_.RollBack();
      table_->RolledBack();
    } else {
      ASSERT_TRUE(connection_.Execute("COMMIT").ok());
      table_->Committed();
      committed = std::move(next);
      const bool merged_first = one_in(2);
      if (merged_first) reader_->Merged(table_->TakeMerged());
      for (const StateRowPtr& row : rows) reader_->Committed(row);
      reader_->Merged(table_->TakeMerged());
    }
    if (one_in(8)) Reopen();
    if (one_in(3)) reader_->EndTransaction();
    for (int i = 0; i < kNames; ++i) {
      const std::string name = absl::StrCat("b/", i);
      const std::string read = Get(name);
      ASSERT_EQ(read == "-" ? "" : read, committed[name]) << name << " after step " << step;
    }
  }
}

TEST_F(StateTableTest, AWalkSeesMergedAndUnmergedRowsInTheOrderOfNames) {
  Commit({Row("b/1", 1, "one"), Row("b/3", 2, "three"), Row("b/5", 3, "five"), Row("c/1", 4, "other")});
  while (MergeStep()) {
  }
  Commit({Row("a/9", 5, "other"), Row("b/2", 6, "two"), Row("b/3", 7, "three again"), Row("b/5", 8, std::nullopt),
          Row("b/7", 9, "seven")});

  EXPECT_THAT(Walk("b/", "b/\x7f"), ElementsAre("b/1=one", "b/2=two", "b/3=three again", "b/5=-", "b/7=seven"));
  EXPECT_THAT(Walk("b/2", "b/5"), ElementsAre("b/2=two", "b/3=three again"));
}

TEST_F(StateTableTest, AJournalThatCannotBeDecodedIsSaid) {
  ASSERT_TRUE(connection_.Execute("INSERT INTO state_journal(id, rows) VALUES(1, x'01ff')").ok());
  EXPECT_EQ(StateTable::Open(connection_).status().code(), absl::StatusCode::kInternal);
}

}  // namespace
}  // namespace aulm::gateway
