#include "service/storage/store.h"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "gmock/gmock.h"
#include "service/storage/sqlite/connection.h"
#include "tests/unit/storage/store_fixture.h"

namespace aulm::gateway {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class StoreTest : public StoreFixture {
 protected:
  absl::Status OpenUrl(const std::string& url) {
    options_.url = url;
    return TryOpen();
  }

  static int ModeOf(const std::string& path) {
    struct stat found;
    return stat(path.c_str(), &found) == 0 ? static_cast<int>(found.st_mode & 07777) : -1;
  }
};

TEST_F(StoreTest, NatsUrlWithoutAServerIsRefused) {
  for (const char* url : {"nats://", "nats://host:4222,", "tls://user:secret@"}) {
    const absl::Status status = OpenUrl(url);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << url;
    EXPECT_THAT(status.message(), HasSubstr("nats://host:4222"));
    EXPECT_THAT(status.message(), testing::Not(HasSubstr("secret")));
  }
}

TEST_F(StoreTest, UnknownUrlIsRefusedWithoutRepeatingIt) {
  for (const char* url :
       {"", "data", "/var/lib/data", "postgres://user:secret@host/db", "sqlite:/data", "SQLITE://x"}) {
    const absl::Status status = OpenUrl(url);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << url;
    EXPECT_THAT(status.message(), HasSubstr("sqlite://<folder>")) << url;
    EXPECT_THAT(status.message(), testing::Not(HasSubstr("secret")));
  }
}

TEST_F(StoreTest, UrlWithoutAFolderOrWithOptionsIsRefused) {
  EXPECT_EQ(OpenUrl("sqlite://").code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(OpenUrl(absl::StrCat("sqlite://", StoreFolder(), "?mode=ro")).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(OpenUrl(absl::StrCat("sqlite://", StoreFolder(), "%20")).code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(StoreTest, FolderIsMadeForItsOwnerAlone) {
  options_.url = absl::StrCat("sqlite://", folder_.path(), "/some/where/new");
  Open();
  ASSERT_TRUE(Append("d-1").ok());

  const std::string made = absl::StrCat(folder_.path(), "/some/where/new");
  EXPECT_EQ(ModeOf(made), 0700);
  for (const char* file : {"gateway.db", "gateway.db-wal", "gateway.db-shm", "lock"}) {
    EXPECT_EQ(ModeOf(absl::StrCat(made, "/", file)), 0600) << file;
  }
}

TEST_F(StoreTest, FolderThatCannotBeMadeIsAnErrorThatNamesIt) {
  std::ofstream(StoreFolder()) << "a file is in the way";

  const absl::Status status = TryOpen();

  EXPECT_FALSE(status.ok());
  EXPECT_THAT(status.message(), HasSubstr(StoreFolder()));
}

TEST_F(StoreTest, SecondStoreOnOneFolderIsRefusedAndToldWhoHoldsIt) {
  Open();
  prometheus::Registry registry;

  absl::StatusOr<Store> second = OpenStore(options_, clock_, random_, registry);

  EXPECT_EQ(second.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(second.status().message(), HasSubstr(absl::StrCat("in use by process ", getpid())));
  EXPECT_THAT(second.status().message(), HasSubstr("stop the other one"));
}

TEST_F(StoreTest, FolderIsFreeAgainWhenTheStoreIsClosed) {
  Open();
  Close();

  EXPECT_TRUE(TryOpen().ok());
}

TEST_F(StoreTest, LockFileLeftBehindDoesNotHoldTheStore) {
  std::filesystem::create_directory(StoreFolder());
  std::ofstream(absl::StrCat(StoreFolder(), "/lock")) << "12345\n";

  EXPECT_TRUE(TryOpen().ok());
}

TEST_F(StoreTest, StoreOfANewerVersionIsRefused) {
  Open();
  Close();
  {
    absl::StatusOr<Connection> newer = Connection::Open(DatabaseFile(), Connection::Use::kWriter);
    ASSERT_TRUE(newer.ok() && newer->Execute("PRAGMA user_version = 999").ok());
  }

  const absl::Status status = TryOpen();

  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(status.message(), HasSubstr("schema version 999"));
  EXPECT_THAT(status.message(), HasSubstr("newer aulm-gateway"));
}

TEST_F(StoreTest, EmbeddedStoreHasNoPeersButAName) {
  Open();

  EXPECT_EQ(store_.peers->Self().size(), 36u);
}

TEST_F(StoreTest, FileThatIsNoDatabaseIsRefused) {
  std::filesystem::create_directory(StoreFolder());
  std::ofstream(DatabaseFile()) << std::string(8192, 'x');

  const absl::Status status = TryOpen();

  EXPECT_EQ(status.message(), absl::StrCat("store: ", DatabaseFile(),
                                           ": file is not a database (sqlite 26); it is damaged, or was never a store: "
                                           "restore it from a backup, or name another folder in store.url"));
}

TEST_F(StoreTest, FailedStatementIsToldInSqlitesWordsAlone) {
  Open();
  Close();
  absl::StatusOr<Connection> connection = Connection::Open(DatabaseFile(), Connection::Use::kReader);
  ASSERT_TRUE(connection.ok()) << connection.status();
  EXPECT_EQ(connection->Execute("SELECT 1 FROM nowhere").message(),
            absl::StrCat("store: ", DatabaseFile(), ": no such table: nowhere (sqlite 1)"));
}

TEST_F(StoreTest, WholeStoreChecksOut) {
  Open();
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(Append(absl::StrCat("d-", i)).ok());
  ASSERT_TRUE(WriteNow(state(), PutOf("a", "b")).ok());

  EXPECT_TRUE(store_.full_check().ok()) << store_.full_check();
}

TEST_F(StoreTest, FullCheckFindsADamagedPage) {
  Open();
  std::vector<NewEvent> events;
  for (int i = 0; i < 2000; ++i) events.push_back(EventOf(absl::StrCat("d-", i)));
  AppendAllNow(log(), std::move(events));
  Close();
  {
    std::ifstream whole(DatabaseFile(), std::ios::binary);
    const std::string bytes(std::istreambuf_iterator<char>(whole), {});
    const size_t body = bytes.find("body d-1000");
    ASSERT_NE(body, std::string::npos);
    // The header of the page that holds it, which nothing at the start needs.
    std::fstream file(DatabaseFile(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(body / 4096 * 4096));
    file << std::string(512, '\xee');
  }
  Open();

  const absl::Status status = store_.full_check();

  EXPECT_FALSE(status.ok());
  EXPECT_THAT(status.message(), HasSubstr("damaged"));
}

TEST_F(StoreTest, FullCheckFindsAnEventThatIsMissing) {
  Open();
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(Append(absl::StrCat("d-", i)).ok());
  Close();
  {
    absl::StatusOr<Connection> other = Connection::Open(DatabaseFile(), Connection::Use::kWriter);
    ASSERT_TRUE(other.ok() && other->Execute("DELETE FROM events WHERE sequence = 5").ok());
  }
  Open();

  const absl::Status status = store_.full_check();

  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(status.message(), HasSubstr("events are missing before 6"));
}

TEST_F(StoreTest, NewestEventThatCannotBeDecodedIsFoundAtTheStart) {
  Open();
  ASSERT_TRUE(Append("d-1").ok());
  Close();
  {
    absl::StatusOr<Connection> other = Connection::Open(DatabaseFile(), Connection::Use::kWriter);
    ASSERT_TRUE(other.ok() && other->Execute("UPDATE events SET record = x'00'").ok());
  }

  const absl::Status status = TryOpen();

  EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
  EXPECT_THAT(status.message(), HasSubstr("restore"));
}

TEST_F(StoreTest, DamageUnderAReaderIsAnErrorOfThatRead) {
  Open();
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(Append(absl::StrCat("d-", i)).ok());
  Close();  // what was just committed would be read from memory
  Open();
  {
    absl::StatusOr<Connection> other = Connection::Open(DatabaseFile(), Connection::Use::kWriter);
    ASSERT_TRUE(other.ok() && other->Execute("UPDATE events SET record = x'00' WHERE sequence = 5").ok());
  }

  EXPECT_TRUE(log().Read(5, {}).ok());
  const absl::Status status = log().Read(0, {}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(status.message(), HasSubstr("event 5"));
}

TEST_F(StoreTest, ClockThatGoesBackDoesNotTakeTheIngestedTimesAlong) {
  Open();
  ASSERT_TRUE(Append("d-1").ok());
  const absl::Time first = clock_.Now();
  clock_.Advance(-absl::Hours(2));
  ASSERT_TRUE(Append("d-2").ok());
  ASSERT_TRUE(TryOpen().ok());
  ASSERT_TRUE(Append("d-3").ok());

  absl::StatusOr<EventPage> page = log().Read(0, {});

  ASSERT_TRUE(page.ok());
  for (const LoggedEvent& event : page->events) EXPECT_EQ(event.ingested, first);
}

TEST_F(StoreTest, MetricsCountWhatWasStored) {
  Open();
  ASSERT_TRUE(Append("d-1").ok());
  ASSERT_TRUE(Append("d-2").ok());
  ASSERT_TRUE(Append("d-1").ok());
  ASSERT_TRUE(WriteNow(state(), PutOf("a", "b")).ok());

  EXPECT_EQ(Metric("aulm_log_appended_total"), 2);
  EXPECT_EQ(Metric("aulm_log_duplicates_total"), 1);
  EXPECT_EQ(Metric("aulm_store_state_writes_total"), 1);
  EXPECT_EQ(Metric("aulm_log_events"), 2);
  EXPECT_GT(Metric("aulm_log_bytes"), 0);
  EXPECT_GT(Metric("aulm_store_wal_bytes"), 0);
  EXPECT_EQ(Metric("aulm_store_commit_events"), 2);
  EXPECT_GT(Metric("aulm_store_commit_seconds"), 0);
}

TEST_F(StoreTest, MetricsOfTheLogAreThereAfterARestart) {
  Open();
  ASSERT_TRUE(Append("d-1").ok());
  const double bytes = Metric("aulm_log_bytes");

  Open();

  EXPECT_EQ(Metric("aulm_log_events"), 1);
  EXPECT_EQ(Metric("aulm_log_bytes"), bytes);
}

}  // namespace
}  // namespace aulm::gateway
