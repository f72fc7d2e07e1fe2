#include "service/storage/sqlite/sqlite_store.h"

#include <sys/stat.h>
#include <xxhash.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "service/base/log.h"
#include "service/storage/sqlite/full_check.h"
#include "service/storage/sqlite/schema.h"

namespace aulm::gateway {
namespace {

absl::Status MakeFolder(const std::string& folder) {
  const std::filesystem::path path(folder);
  std::error_code error;
  if (path.has_parent_path()) std::filesystem::create_directories(path.parent_path(), error);
  if (mkdir(folder.c_str(), 0700) == 0) return absl::OkStatus();
  const int mkdir_error = errno;
  if (mkdir_error == EEXIST && std::filesystem::is_directory(path, error)) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat("store: cannot make the folder ", folder, ": ", std::strerror(mkdir_error),
                                             "; name another in store.url"));
}

bool HoldsSomething(const std::string& file) {
  std::error_code error;
  const uintmax_t bytes = std::filesystem::file_size(file, error);
  return !error && bytes > 0;
}

// What tells that the folder held a store that is lost; empty where it holds one, or never did. Before its lock is
// taken.
absl::string_view LossIn(const std::string& folder, const std::string& file) {
  std::error_code error;
  if (HoldsSomething(file)) return {};
  if (std::filesystem::exists(file, error)) return "gateway.db was there with 0 bytes";
  if (std::filesystem::exists(absl::StrCat(folder, "/lock"), error)) {
    return "a gateway has used this folder before, and gateway.db is not there";
  }
  return {};
}

// An empty store where one was expected is a loss that nobody else would notice.
void TellOfNewStore(const std::string& file, absl::string_view loss) {
  LogLine line(loss.empty() ? LogLevel::kInfo : LogLevel::kWarn, "store_created");
  line.Field("file", file);
  if (loss.empty()) return;
  line.Field("message", absl::StrCat(loss,
                                     ": events, request ids and subscriptions begin anew; if that is not meant, "
                                     "stop the gateway and restore a backup"));
}

// 64 random bits that are not 0.
uint64_t RandomNumber(Random& random) {
  const std::string uuid = random.Uuid();
  const uint64_t number = XXH3_64bits(uuid.data(), uuid.size());
  return number == 0 ? 1 : number;
}

}  // namespace

absl::StatusOr<std::unique_ptr<SqliteStore>> SqliteStore::Open(const std::string& folder, const StoreOptions& options,
                                                               Clock& clock, Random& random,
                                                               prometheus::Registry& registry) {
  const std::string file = absl::StrCat(folder, "/gateway.db");
  if (options.must_exist && !HoldsSomething(file)) {
    return absl::NotFoundError(
        absl::StrCat("store: there is none in ", folder, "; name the folder that holds gateway.db in store.url"));
  }
  if (absl::Status made = MakeFolder(folder); !made.ok()) return made;
  const bool is_new = !HoldsSomething(file);
  const absl::string_view loss = LossIn(folder, file);
  absl::StatusOr<StoreLock> lock = StoreLock::Take(folder);
  if (!lock.ok()) return lock.status();
  std::unique_ptr<SqliteStore> store(new SqliteStore(*std::move(lock), file, random.Uuid(), registry));
  if (absl::Status status = store->OpenTables(RandomNumber(random)); !status.ok()) return status;
  if (is_new) TellOfNewStore(file, loss);
  // A random beginning, so that no revision of an earlier process comes again; room for a lifetime of writes above it.
  const uint64_t first_revision = (RandomNumber(random) >> 2) | 1;
  if (absl::Status status = store->Start(options, clock, first_revision); !status.ok()) return status;
  return store;
}

SqliteStore::SqliteStore(StoreLock lock, std::string file, std::string self, prometheus::Registry& registry)
    : lock_(std::move(lock)), file_(std::move(file)), peers_(std::move(self)), metrics_(registry) {}

absl::Status SqliteStore::OpenTables(uint64_t fresh_epoch) {
  absl::StatusOr<Connection> connection = Connection::Open(file_, Connection::Use::kWriter);
  if (!connection.ok()) return connection.status();
  connection_ = *std::move(connection);
  if (absl::Status status = MigrateSchema(connection_, SchemaHistory()); !status.ok()) return status;
  absl::StatusOr<LogTable> log = LogTable::Open(connection_, fresh_epoch);
  if (!log.ok()) return log.status();
  log_table_ = std::make_unique<LogTable>(*std::move(log));
  absl::StatusOr<std::unique_ptr<DeliveryIndex>> deliveries = DeliveryIndex::Open(connection_);
  if (!deliveries.ok()) return deliveries.status();
  delivery_index_ = *std::move(deliveries);
  absl::StatusOr<std::unique_ptr<StateTable>> state = StateTable::Open(connection_);
  if (!state.ok()) return state.status();
  state_table_ = *std::move(state);
  return absl::OkStatus();
}

absl::Status SqliteStore::Start(const StoreOptions& options, Clock& clock, uint64_t first_revision) {
  absl::StatusOr<std::unique_ptr<StateReader>> state_reader = StateReader::Open(file_, state_table_->Unmerged());
  if (!state_reader.ok()) return state_reader.status();
  writer_ = std::make_unique<GroupWriter>(
      connection_, *log_table_, *delivery_index_, *state_table_,
      Housekeeping::Rules{options.retention, options.max_bytes, options.dedupe_retention},
      GroupWriter::Limits{options.max_queued_appends, options.max_queued_bytes}, clock, metrics_);
  tasks_ = std::make_unique<TaskThread>(clock);
  log_ = std::make_unique<SqliteEventLog>(file_, *writer_, *tasks_, options.recent_events);
  state_ = std::make_unique<SqliteStateStore>(*std::move(state_reader), *writer_, *tasks_, clock, first_revision,
                                              options.max_open_state_calls);
  writer_->Start({
      .on_events = [log = log_.get()](std::vector<CommittedEvent> events) { log->Remember(std::move(events)); },
      .on_log = [log = log_.get()](const LogInfo& info) { log->SetInfo(info); },
      .on_state = [state = state_.get()](std::vector<StateRowPtr> rows,
                                         const absl::Status& status) { state->Settle(std::move(rows), status); },
      .on_merged = [state = state_.get()](std::vector<StateRowPtr> rows) { state->Merged(std::move(rows)); },
      .on_fatal = options.on_fatal ? options.on_fatal : [](const absl::Status&) {},
  });
  return absl::OkStatus();
}

SqliteStore::~SqliteStore() {
  if (state_ == nullptr) return;  // Open failed half-way
  // Calls that were taken are decided, what was decided is committed, what was committed is answered.
  state_->Close();
  tasks_->Flush();
  writer_->Stop();
  tasks_.reset();
}

absl::Status SqliteStore::FullCheck() const { return CheckWholeStore(file_); }

}  // namespace aulm::gateway
