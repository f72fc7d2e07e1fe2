#include "service/storage/sqlite/schema.h"

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/temp_folder.h"

namespace aulm::gateway {
namespace {

using testing::HasSubstr;

constexpr Migration kFirst{1, "CREATE TABLE notes(text TEXT);"};
constexpr Migration kSecond{2, "ALTER TABLE notes ADD COLUMN author TEXT DEFAULT 'nobody';"};
constexpr Migration kBroken{2, "ALTER TABLE notes ADD COLUMN author TEXT; INSERT INTO nowhere VALUES(1);"};

class SchemaTest : public testing::Test {
 protected:
  Connection Open() {
    absl::StatusOr<Connection> connection =
        Connection::Open(absl::StrCat(folder_.path(), "/gateway.db"), Connection::Use::kWriter);
    EXPECT_TRUE(connection.ok()) << connection.status();
    return *std::move(connection);
  }

  TempFolder folder_;
};

TEST_F(SchemaTest, EmptyFileGetsTheNewestVersion) {
  Connection connection = Open();

  ASSERT_TRUE(MigrateSchema(connection, SchemaHistory()).ok());

  EXPECT_EQ(connection.QueryInteger("PRAGMA user_version").value(), SchemaHistory().back().version);
  EXPECT_EQ(connection.QueryInteger("SELECT count(*) FROM events").value(), 0);
}

TEST_F(SchemaTest, HistoryCountsUpFromOne) {
  int version = 0;
  for (const Migration& migration : SchemaHistory()) EXPECT_EQ(migration.version, ++version);
}

TEST_F(SchemaTest, OlderVersionIsBroughtUpAndKeepsItsRows) {
  {
    Connection old = Open();
    ASSERT_TRUE(MigrateSchema(old, {kFirst}).ok());
    ASSERT_TRUE(old.Execute("INSERT INTO notes(text) VALUES('kept')").ok());
  }
  Connection connection = Open();

  ASSERT_TRUE(MigrateSchema(connection, {kFirst, kSecond}).ok());

  EXPECT_EQ(connection.QueryInteger("PRAGMA user_version").value(), 2);
  EXPECT_EQ(connection.QueryInteger("SELECT count(*) FROM notes WHERE text = 'kept' AND author = 'nobody'").value(), 1);
}

TEST_F(SchemaTest, StateOfVersion2IsKept) {
  Connection connection = Open();
  ASSERT_TRUE(MigrateSchema(connection, SchemaHistory().subspan(0, 2)).ok());
  ASSERT_TRUE(connection
                  .Execute("INSERT INTO state(name, expires_ms, revision, value) VALUES('b/2', 20, 7, 'two'),"
                           "('b/1', 10, 5, 'one')")
                  .ok());

  ASSERT_TRUE(MigrateSchema(connection, SchemaHistory()).ok());

  EXPECT_EQ(connection.QueryInteger("SELECT count(*) FROM state").value(), 2);
  EXPECT_EQ(connection
                .QueryInteger("SELECT count(*) FROM state WHERE name = 'b/2' AND expires_ms = 20 AND revision = 7"
                              " AND value = 'two'")
                .value(),
            1);
}

TEST_F(SchemaTest, NewestVersionIsLeftAlone) {
  Connection connection = Open();
  ASSERT_TRUE(MigrateSchema(connection, {kFirst, kSecond}).ok());

  EXPECT_TRUE(MigrateSchema(connection, {kFirst, kSecond}).ok());
}

TEST_F(SchemaTest, StepThatFailsLeavesTheVersionBefore) {
  Connection connection = Open();
  ASSERT_TRUE(MigrateSchema(connection, {kFirst}).ok());

  EXPECT_FALSE(MigrateSchema(connection, {kFirst, kBroken}).ok());

  EXPECT_EQ(connection.QueryInteger("PRAGMA user_version").value(), 1);
  EXPECT_FALSE(connection.QueryInteger("SELECT count(author) FROM notes").ok());
  EXPECT_TRUE(MigrateSchema(connection, {kFirst, kSecond}).ok());
}

TEST_F(SchemaTest, NewerVersionIsRefusedWithBothVersions) {
  Connection connection = Open();
  ASSERT_TRUE(MigrateSchema(connection, {kFirst, kSecond}).ok());

  const absl::Status refused = MigrateSchema(connection, {kFirst});

  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(refused.message(), HasSubstr("schema version 2"));
  EXPECT_THAT(refused.message(), HasSubstr("up to 1"));
  EXPECT_EQ(connection.QueryInteger("PRAGMA user_version").value(), 2);
}

TEST_F(SchemaTest, DatabaseOfAnotherProgramIsRefusedAndLeftAlone) {
  Connection connection = Open();
  ASSERT_TRUE(connection.Execute("CREATE TABLE theirs(x)").ok());

  const absl::Status refused = MigrateSchema(connection, SchemaHistory());

  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(refused.message(), HasSubstr("not a database of aulm-gateway"));
  EXPECT_EQ(connection.QueryInteger("SELECT count(*) FROM sqlite_master").value(), 1);
}

}  // namespace
}  // namespace aulm::gateway
