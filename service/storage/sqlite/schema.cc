#include "service/storage/sqlite/schema.h"

#include <string>

#include "absl/strings/str_cat.h"

namespace aulm::gateway {
namespace {

constexpr int kApplicationId = 0x61756c6d;  // "aulm", in the header of the file

constexpr Migration kHistory[] = {
    {1,
     "CREATE TABLE meta(name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;"
     "CREATE TABLE events(sequence INTEGER PRIMARY KEY, ingested_ms INTEGER NOT NULL, start_offset INTEGER NOT NULL,"
     " record BLOB NOT NULL);"
     "CREATE TABLE raw_bodies(sequence INTEGER PRIMARY KEY, body BLOB NOT NULL);"
     "CREATE TABLE deliveries(id BLOB PRIMARY KEY, sequence INTEGER NOT NULL, seen_s INTEGER NOT NULL) WITHOUT ROWID;"
     "CREATE TABLE state(name TEXT PRIMARY KEY, expires_ms INTEGER NOT NULL, revision INTEGER NOT NULL,"
     " value BLOB NOT NULL) WITHOUT ROWID;"},
    {2, "CREATE TABLE state_journal(id INTEGER PRIMARY KEY, rows BLOB NOT NULL);"},
    {3,
     "ALTER TABLE state RENAME TO state_by_name;"
     "CREATE TABLE state(id INTEGER PRIMARY KEY, expires_ms INTEGER NOT NULL, revision INTEGER NOT NULL,"
     " name TEXT NOT NULL UNIQUE, value BLOB NOT NULL);"
     "INSERT INTO state(expires_ms, revision, name, value)"
     " SELECT expires_ms, revision, name, value FROM state_by_name ORDER BY name;"
     "DROP TABLE state_by_name;"},
};

absl::Status Apply(Connection& connection, const Migration& migration) {
  // The version is written in the same transaction: a step is done wholly or not at all.
  absl::Status status =
      connection.Execute(absl::StrCat("BEGIN IMMEDIATE;", migration.sql, "PRAGMA application_id=", kApplicationId,
                                      ";PRAGMA user_version=", migration.version, ";COMMIT;"));
  if (!status.ok()) connection.RollBack();
  return status;
}

}  // namespace

absl::Span<const Migration> SchemaHistory() { return kHistory; }

absl::Status MigrateSchema(Connection& connection, absl::Span<const Migration> history) {
  absl::StatusOr<int64_t> application = connection.QueryInteger("PRAGMA application_id");
  if (!application.ok()) return application.status();
  absl::StatusOr<int64_t> version = connection.QueryInteger("PRAGMA user_version");
  if (!version.ok()) return version.status();
  absl::StatusOr<int64_t> tables = connection.QueryInteger("SELECT count(*) FROM sqlite_master");
  if (!tables.ok()) return tables.status();
  if (*application != kApplicationId && (*application != 0 || *version != 0 || *tables != 0)) {
    return absl::FailedPreconditionError(
        "store: gateway.db is not a database of aulm-gateway; give the store a folder of its own");
  }
  const int newest = history.back().version;
  if (*version > newest) {
    return absl::FailedPreconditionError(absl::StrCat(
        "store: the database has schema version ", *version, " and this program knows up to ", newest,
        ": it was last opened by a newer aulm-gateway; run that version, or restore a backup from before the upgrade"));
  }
  for (const Migration& migration : history) {
    if (migration.version <= *version) continue;
    if (absl::Status status = Apply(connection, migration); !status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace aulm::gateway
