#include "tests/contract/sqlite_engine.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/support/store_calls.h"

namespace aulm::gateway {
namespace {

constexpr absl::Duration kRetention = absl::Hours(24);

}  // namespace

SqliteEngine::SqliteEngine(size_t recent_events) : recent_events_(recent_events) { Reopen(); }

void SqliteEngine::Reopen() {
  store_ = Store();
  registry_ = std::make_unique<prometheus::Registry>();
  StoreOptions options;
  options.url = absl::StrCat("sqlite://", folder_.path(), "/store");
  options.retention = kRetention;
  options.recent_events = recent_events_;
  absl::StatusOr<Store> store = OpenStore(options, clock_, random_, *registry_);
  ASSERT_TRUE(store.ok()) << store.status();
  store_ = *std::move(store);
}

void SqliteEngine::ExpireEvents() {
  PassTime(kRetention + absl::Hours(1));
  // The writer keeps house between commits, when its timer says so: each write gives it one more turn.
  for (int turn = 0; turn < 1000; ++turn) {
    if (log().Info().earliest == log().Info().head + 1) return;
    StateWrite write;
    write.bucket = "turns";
    write.key = "turn";
    write.value = absl::StrCat(turn);
    ASSERT_TRUE(WriteNow(state(), std::move(write)).ok());
    PassTime(absl::Seconds(1));
  }
  FAIL() << "retention left events in the log";
}

}  // namespace aulm::gateway
