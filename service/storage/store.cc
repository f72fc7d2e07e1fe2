#include "service/storage/store.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "service/storage/delivery_key.h"
#include "service/storage/jetstream/jetstream_import.h"
#include "service/storage/jetstream/jetstream_store.h"
#include "service/storage/sqlite/sqlite_export.h"
#include "service/storage/sqlite/sqlite_store.h"

namespace aulm::gateway {
namespace {

constexpr absl::string_view kForms =
    "use sqlite://<folder>, such as sqlite:///var/lib/aulm-gateway or sqlite://./data, or nats://host:4222,host:4222";

constexpr uint64_t kCopiedBetweenReports = 100'000;

bool IsNats(absl::string_view url) { return absl::StartsWith(url, "nats://") || absl::StartsWith(url, "tls://"); }

absl::StatusOr<std::string> FolderOf(absl::string_view url) {
  absl::string_view folder = url;
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

// Each server of nats://user:password@a:4222,b:4222 as a URL of its own: what stands before the first @ holds for all
// that have none.
absl::StatusOr<std::vector<std::string>> ServersOf(absl::string_view url) {
  const size_t scheme_bytes = url.find("://") + 3;
  const absl::string_view scheme = url.substr(0, scheme_bytes);
  std::vector<std::string> servers;
  absl::string_view user;
  for (absl::string_view server : absl::StrSplit(url.substr(scheme_bytes), ',')) {
    absl::ConsumePrefix(&server, scheme);
    const size_t at = server.rfind('@');
    if (at != absl::string_view::npos && user.empty()) user = server.substr(0, at + 1);
    if (server.substr(at == absl::string_view::npos ? 0 : at + 1).empty()) {
      return absl::InvalidArgumentError(absl::StrCat("store.url: a server has no name; ", kForms));
    }
    servers.push_back(absl::StrCat(scheme, at == absl::string_view::npos ? user : "", server));
  }
  return servers;
}

absl::StatusOr<StoreOptions> WithServers(const StoreOptions& options) {
  absl::StatusOr<std::vector<std::string>> servers = ServersOf(options.url);
  if (!servers.ok()) return servers.status();
  StoreOptions with_servers = options;
  with_servers.nats.servers.urls = *std::move(servers);
  return with_servers;
}

// Both engines have the same parts.
template <typename Engine>
Store StoreOf(std::unique_ptr<Engine> opened) {
  Engine* const engine = opened.release();
  Store store;
  store.engine = {engine, [](void* owned) { delete static_cast<Engine*>(owned); }};
  store.full_check = [engine] { return engine->FullCheck(); };
  store.log = &engine->log();
  store.state = &engine->state();
  store.peers = &engine->peers();
  return store;
}

}  // namespace

absl::StatusOr<Store> OpenStore(const StoreOptions& options, Clock& clock, Random& random,
                                prometheus::Registry& registry) {
  if (IsNats(options.url)) {
    const absl::StatusOr<StoreOptions> with_servers = WithServers(options);
    if (!with_servers.ok()) return with_servers.status();
    absl::StatusOr<std::unique_ptr<JetStreamStore>> opened =
        JetStreamStore::Open(*with_servers, clock, random, registry);
    if (!opened.ok()) return opened.status();
    Store store = StoreOf(*std::move(opened));
    store.shared = true;
    return store;
  }
  absl::StatusOr<std::string> folder = FolderOf(options.url);
  if (!folder.ok()) return folder.status();
  absl::StatusOr<std::unique_ptr<SqliteStore>> opened = SqliteStore::Open(*folder, options, clock, random, registry);
  if (!opened.ok()) return opened.status();
  return StoreOf(*std::move(opened));
}

absl::StatusOr<CopiedStore> CopyStore(const std::string& from, const StoreOptions& to, Clock& clock, Random& random,
                                      const std::function<void(const CopiedStore&)>& on_progress) {
  if (IsNats(from) || !IsNats(to.url)) {
    return absl::InvalidArgumentError("a store is copied from sqlite://<folder> to nats://host:4222,host:4222");
  }
  const absl::StatusOr<std::string> folder = FolderOf(from);
  if (!folder.ok()) return folder.status();
  const absl::StatusOr<StoreOptions> with_servers = WithServers(to);
  if (!with_servers.ok()) return with_servers.status();
  absl::StatusOr<std::unique_ptr<SqliteExport>> source = SqliteExport::Open(*folder);
  if (!source.ok()) return source.status();
  const LogInfo log = (*source)->info();
  absl::StatusOr<std::unique_ptr<JetStreamImport>> target = JetStreamImport::Begin(*with_servers, log, clock, random);
  if (!target.ok()) return target.status();

  CopiedStore copied;
  const auto count = [&](uint64_t& what) {
    if (++what % kCopiedBetweenReports == 0 && on_progress) on_progress(copied);
  };
  absl::Status status = (*source)->Events([&](const LoggedEvent& event) -> absl::Status {
    if (absl::Status failed = (*target)->AddEvent(event); !failed.ok()) return failed;
    count(copied.events);
    const std::string key = DeliveryKey(event.attributes.account, event.delivery_id);
    if (key.empty()) return absl::OkStatus();
    count(copied.deliveries);
    return (*target)->AddDelivery(key, event.sequence);
  });
  if (!status.ok()) return status;
  // Those that outlived their events; the others are known from these.
  status = (*source)->Deliveries([&](absl::string_view key, uint64_t sequence) -> absl::Status {
    if (sequence >= log.earliest) return absl::OkStatus();
    count(copied.deliveries);
    return (*target)->AddDelivery(key, sequence);
  });
  if (!status.ok()) return status;
  status = (*source)->State(clock.Now(),
                            [&](absl::string_view bucket, absl::string_view key, absl::string_view value,
                                absl::Time expires) -> absl::Status {
                              count(copied.entries);
                              return (*target)->AddState(bucket, key, value, expires);
                            });
  if (!status.ok()) return status;
  if (absl::Status failed = (*target)->Finish(); !failed.ok()) return failed;
  return copied;
}

}  // namespace aulm::gateway
