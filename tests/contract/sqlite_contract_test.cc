// The embedded store keeps every promise of the storage seams.
#include "tests/contract/event_log_contract.h"
#include "tests/contract/sqlite_engine.h"
#include "tests/contract/state_store_contract.h"

namespace aulm::gateway {
namespace {

const EngineUnderTest kSqlite{"Sqlite", [] { return std::make_unique<SqliteEngine>(); }};

// What was just appended is read from the disk too, as an older event is.
const EngineUnderTest kSqliteFromDisk{"SqliteFromDisk", [] { return std::make_unique<SqliteEngine>(0); }};

INSTANTIATE_TEST_SUITE_P(Engine, EventLogContract, testing::Values(kSqlite, kSqliteFromDisk), EngineName);
INSTANTIATE_TEST_SUITE_P(Engine, StateStoreContract, testing::Values(kSqlite), EngineName);

}  // namespace
}  // namespace aulm::gateway
