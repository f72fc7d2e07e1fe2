#include "service/storage/store.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "service/storage/sqlite/sqlite_store.h"

namespace aulm::gateway {
namespace {

constexpr absl::string_view kForms = "use sqlite://<folder>, such as sqlite:///var/lib/aulm-gateway or sqlite://./data";

absl::StatusOr<std::string> FolderOf(absl::string_view url) {
  absl::string_view folder = url;
  if (absl::StartsWith(url, "nats://") || absl::StartsWith(url, "tls://")) {
    return absl::InvalidArgumentError(
        absl::StrCat("store.url: a NATS store is not available in this version; ", kForms));
  }
  if (!absl::ConsumePrefix(&folder, "sqlite://")) {
    // The URL itself may hold credentials, so it is not repeated.
    return absl::InvalidArgumentError(absl::StrCat("store.url: the scheme is not known; ", kForms));
  }
  if (folder.empty()) return absl::InvalidArgumentError(absl::StrCat("store.url: names no folder; ", kForms));
  if (folder.find_first_of("?#%") != absl::string_view::npos) {
    return absl::InvalidArgumentError(
        absl::StrCat("store.url: ", url,
                     ": the folder is taken as it is, without options or %-escapes, and may have "
                     "none of ? # %"));
  }
  return std::string(folder);
}

}  // namespace

absl::StatusOr<Store> OpenStore(const StoreOptions& options, Clock& clock, Random& random,
                                prometheus::Registry& registry) {
  absl::StatusOr<std::string> folder = FolderOf(options.url);
  if (!folder.ok()) return folder.status();
  absl::StatusOr<std::unique_ptr<SqliteStore>> opened = SqliteStore::Open(*folder, options, clock, random, registry);
  if (!opened.ok()) return opened.status();
  SqliteStore* const engine = opened->release();
  Store store;
  store.engine = {engine, [](void* owned) { delete static_cast<SqliteStore*>(owned); }};
  store.full_check = [engine] { return engine->FullCheck(); };
  store.log = &engine->log();
  store.state = &engine->state();
  store.peers = &engine->peers();
  return store;
}

}  // namespace aulm::gateway
