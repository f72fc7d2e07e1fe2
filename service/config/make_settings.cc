#include "service/config/make_settings.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "service/base/text.h"
#include "service/config/json_duration.h"
#include "service/config/log_level_names.h"
#include "service/config/make_accounts.h"
#include "service/config/make_callers.h"
#include "service/config/make_paces.h"
#include "service/config/tls_material.h"

namespace aulm::gateway {
namespace {

bool IsNatsUrl(absl::string_view url) { return absl::StartsWith(url, "nats://") || absl::StartsWith(url, "tls://"); }

// Whether every server of the list has a name.
bool HasNatsServers(absl::string_view url) {
  for (absl::string_view server : absl::StrSplit(url.substr(url.find("://") + 3), ',')) {
    for (const absl::string_view scheme : {"nats://", "tls://"}) absl::ConsumePrefix(&server, scheme);
    const size_t at = server.rfind('@');
    if (server.substr(at == absl::string_view::npos ? 0 : at + 1).empty()) return false;
  }
  return true;
}

constexpr absl::Duration kDay = absl::Hours(24);

absl::Duration FromProto(const google::protobuf::Duration& duration) {
  return absl::Seconds(duration.seconds()) + absl::Nanoseconds(duration.nanos());
}

std::string ClientCaOf(const config::v1::Tls&) { return ""; }
std::string ClientCaOf(const config::v1::GrpcTls& tls) { return tls.client_ca_file(); }

class SettingsReader {
 public:
  SettingsReader(const config::v1::GatewayConfig& config, const Environment& environment,
                 const SecretFileReader& read_file, Problems& problems)
      : config_(config), environment_(environment), read_file_(read_file), problems_(problems) {}

  Settings Read() {
    CheckVariables();
    ReadListeners();
    ReadStore();
    settings_.accounts = MakeAccounts(config_, environment_, read_file_, problems_);
    settings_.callers = MakeCallers(config_, read_file_, settings_, problems_);
    ReadLimits();
    ReadSends();
    ReadLogLevel();
    settings_.paces = MakePaces(config_.pacing(), problems_);
    for (std::string& warning : DescribeUnknownVariables(environment_))
      settings_.warnings.push_back(std::move(warning));
    return std::move(settings_);
  }

 private:
  // Where a value came from, for messages, and the value; the environment wins.
  struct Given {
    std::string field;
    std::string text;
  };
  Given TextOf(absl::string_view variable, absl::string_view field, absl::string_view in_file) const {
    const auto set = environment_.find(variable);
    if (set != environment_.end() && !set->second.empty()) return {set->first, set->second};
    return {std::string(field), std::string(in_file)};
  }

  // What the file's reader sees to for the file: paths and addresses go into messages, logs and JSON.
  void CheckVariables() {
    for (const absl::string_view name : kVariables) {
      const auto variable = environment_.find(name);
      if (variable == environment_.end() || name == "AULM_API_KEY" || name == "AULM_WEBHOOK_SECRET") continue;
      const std::string& value = variable->second;
      if (!CountCodePoints(value).has_value() || std::any_of(value.begin(), value.end(), absl::ascii_iscntrl)) {
        problems_.Add(name, "holds control characters or bytes that are not UTF-8", "leave them out");
      }
    }
  }

  void ReadListeners() {
    const config::v1::Listeners& listeners = config_.listeners();
    const std::string grpc =
        ReadAddress("GATEWAY_GRPC_LISTEN", "listeners.grpc.address", listeners.grpc(), settings_.grpc.address);
    const std::string webhook = ReadAddress("GATEWAY_WEBHOOK_LISTEN", "listeners.webhook.address", listeners.webhook(),
                                            settings_.webhook.address);
    const std::string admin =
        ReadAddress("GATEWAY_ADMIN_LISTEN", "listeners.admin.address", listeners.admin(), settings_.admin.address);
    ReadGrpcListener(listeners.grpc(), grpc);
    if (listeners.webhook().has_tls())
      settings_.webhook.tls = ReadTls("listeners.webhook.tls", listeners.webhook().tls());
    if (listeners.admin().has_tls()) settings_.admin.tls = ReadTls("listeners.admin.tls", listeners.admin().tls());

    if (listeners.admin().has_token_sha256_file()) {
      settings_.admin.token_sha256_file = listeners.admin().token_sha256_file();
      ReadTokenDigests("listeners.admin.token_sha256_file", settings_.admin.token_sha256_file, read_file_, problems_);
    } else if (!IsLoopbackHost(settings_.admin.address.host)) {
      problems_.Add(admin, absl::StrCat(ToString(settings_.admin.address), " is open to the network"),
                    "listen on 127.0.0.1, or set listeners.admin.token_sha256_file, so that its page asks for a token");
    }
    CheckDistinct("grpc", settings_.grpc.address, webhook, settings_.webhook.address);
    CheckDistinct("grpc", settings_.grpc.address, admin, settings_.admin.address);
    CheckDistinct("webhook", settings_.webhook.address, admin, settings_.admin.address);
  }

  // `address_field` gave the address.
  void ReadGrpcListener(const config::v1::GrpcListener& listener, const std::string& address_field) {
    GrpcListenerSettings& settings = settings_.grpc;
    settings.callers_optional = listener.callers_optional();
    if (listener.has_tls()) settings.tls = ReadTls("listeners.grpc.tls", listener.tls());
    settings.trusted_identity_header = MakeTrustedIdentityHeader(listener, problems_);
    const bool is_open = !IsLoopbackHost(settings.address.host);
    settings.reflection = listener.has_reflection() ? listener.reflection() : !is_open;
    settings.channelz = listener.channelz();
    if (is_open && config_.callers().empty() && !settings.callers_optional) {
      problems_.Add(address_field,
                    absl::StrCat(ToString(settings.address), " is open to the network, where anyone could send"),
                    "list callers, listen on 127.0.0.1, or set listeners.grpc.callers_optional if the network itself "
                    "keeps others out");
    }
    if (settings.callers_optional && !config_.callers().empty()) {
      settings_.warnings.emplace_back(
          "listeners.grpc.callers_optional: is true, so whoever shows no credentials may call whatever it likes, the "
          "list of callers notwithstanding");
    }
    if (is_open && !settings.tls.has_value() &&
        std::any_of(config_.callers().begin(), config_.callers().end(),
                    [](const config::v1::Caller& caller) { return caller.has_token_sha256_file(); })) {
      settings_.warnings.emplace_back(
          "listeners.grpc.tls: is absent, so callers' tokens cross the network in the clear unless a mesh encrypts "
          "them");
    }
  }

  // Gives back the name of what the address came from.
  template <typename Listener>
  std::string ReadAddress(absl::string_view variable, absl::string_view field, const Listener& listener,
                          ListenAddress& address) {
    const Given given = TextOf(variable, field, listener.has_address() ? listener.address() : ToString(address));
    auto parsed = ParseListenAddress(given.text);
    if (parsed.ok()) {
      address = *std::move(parsed);
    } else {
      problems_.Add(given.field, parsed.status());
    }
    return given.field;
  }

  // `field` gave `address`, which must not be that of the listener called `other_name`.
  void CheckDistinct(absl::string_view other_name, const ListenAddress& other, absl::string_view field,
                     const ListenAddress& address) {
    if (address.port == 0 || address != other) return;
    problems_.Add(field, absl::StrCat(ToString(address), " is the ", other_name, " listener's too"),
                  "give each listener a port of its own");
  }

  template <typename Tls>
  TlsSettings ReadTls(const std::string& path, const Tls& tls) {
    TlsSettings files{
        .certificate_file = tls.certificate_file(), .key_file = tls.key_file(), .client_ca_file = ClientCaOf(tls)};
    const auto certificate =
        ReadFile(absl::StrCat(path, ".certificate_file"), files.certificate_file, "a PEM certificate");
    const auto key = ReadFile(absl::StrCat(path, ".key_file"), files.key_file, "its private key in PEM");
    std::optional<Secret> client_ca = Secret();
    if (!files.client_ca_file.empty()) {
      client_ca = ReadFile(absl::StrCat(path, ".client_ca_file"), files.client_ca_file,
                           "the certificates of the clients' authorities in PEM");
    }
    if (!certificate.has_value() || !key.has_value() || !client_ca.has_value()) return files;
    const auto material = MakeTlsMaterial(files, *certificate, *key, *client_ca);
    if (!material.ok()) problems_.Add(path, material.status());
    return files;
  }

  std::optional<Secret> ReadFile(const std::string& field, const std::string& path, absl::string_view holds) {
    const std::string remedy = absl::StrCat("give the path of a file that holds ", holds);
    if (path.empty()) {
      problems_.Add(field, "is missing", remedy);
      return std::nullopt;
    }
    auto content = read_file_(path);
    if (content.ok()) return *std::move(content);
    problems_.Add(field, absl::StrCat(OnOneLine(path), ": ", content.status().message()), remedy);
    return std::nullopt;
  }

  void ReadStore() {
    const config::v1::Store& store = config_.store();
    StoreSettings& settings = settings_.store;
    const Given url = TextOf("GATEWAY_STORE", "store.url", store.has_url() ? store.url() : settings.url);
    absl::string_view folder = url.text;
    if (IsNatsUrl(url.text)) {
      // Not repeated in an error: it may hold a password.
      if (!HasNatsServers(url.text)) {
        problems_.Add(url.field, "names no NATS server, or one without a name", "write nats://host:4222,host:4222");
      }
      settings.url = url.text;
      settings.folder.clear();
    } else if (!absl::ConsumePrefix(&folder, "sqlite://") || folder.empty()) {
      problems_.Add(url.field, absl::StrCat(Quoted(url.text), " names no store"),
                    "write sqlite://<folder>, such as sqlite:///var/lib/aulm-gateway or sqlite://./data, or "
                    "nats://host:4222,host:4222");
    } else {
      settings.url = url.text;
      settings.folder = std::string(folder);
    }
    if (store.has_retention()) {
      ReadDuration("store.retention", store.retention(), absl::Hours(1), 3650 * kDay, settings.retention);
    }
    if (store.has_dedupe_retention()) {
      ReadDuration("store.dedupe_retention", store.dedupe_retention(), 30 * kDay, 3650 * kDay,
                   settings.dedupe_retention);
    }
    constexpr int64_t kSmallestLog = 16 << 20;
    if (store.max_bytes() != 0 && store.max_bytes() < kSmallestLog) {
      problems_.Add("store.max_bytes", absl::StrCat(store.max_bytes(), " is less than ", kSmallestLog),
                    "give at least that many bytes, or 0 for no bound");
    }
    settings.max_bytes = store.max_bytes();
    if (store.has_nats()) ReadNats(store.nats(), settings.nats);
  }

  void ReadNats(const config::v1::NatsStore& nats, NatsSettings& settings) {
    if (nats.has_prefix()) {
      settings.prefix = nats.prefix();
      const auto is_allowed = [](char c) { return absl::ascii_islower(c) || absl::ascii_isdigit(c) || c == '-'; };
      if (settings.prefix.empty() || settings.prefix.size() > 32 ||
          !std::all_of(settings.prefix.begin(), settings.prefix.end(), is_allowed)) {
        problems_.Add("store.nats.prefix", absl::StrCat(Quoted(settings.prefix), " cannot stand in a stream's name"),
                      "use 1 to 32 characters of a to z, 0 to 9 and -");
      }
    }
    settings.replicas = nats.replicas();
    if (settings.replicas < 0 || settings.replicas > 5) {
      problems_.Add("store.nats.replicas", absl::StrCat(settings.replicas, " is not within 0 to 5"),
                    "give 3 for a cluster of three servers or more, or leave it out");
    }
    settings.synced = nats.synced();
    settings.credentials_file = nats.credentials_file();
    if (nats.has_credentials_file()) {
      ReadFile("store.nats.credentials_file", settings.credentials_file, "NATS credentials (.creds)");
    }
    if (!nats.has_tls()) return;
    settings.tls = true;
    settings.ca_file = nats.tls().ca_file();
    if (nats.tls().has_ca_file()) ReadFile("store.nats.tls.ca_file", settings.ca_file, "CA certificates in PEM");
    settings.certificate_file = nats.tls().certificate_file();
    settings.key_file = nats.tls().key_file();
    if (nats.tls().has_certificate_file() || nats.tls().has_key_file()) {
      ReadFile("store.nats.tls.certificate_file", settings.certificate_file, "a PEM certificate");
      ReadFile("store.nats.tls.key_file", settings.key_file, "its private key in PEM");
    }
  }

  void ReadLimits() {
    const config::v1::Limits& limits = config_.limits();
    LimitSettings& settings = settings_.limits;
    constexpr int64_t kMiB = 1 << 20;
    // gRPC takes messages of 8 MiB: the image and everything beside it must fit in.
    if (limits.has_max_image_bytes()) {
      ReadCount("limits.max_image_bytes", limits.max_image_bytes(), 1024, 7 * kMiB, settings.max_image_bytes);
    }
    // The log takes a body of 1 MiB.
    if (limits.has_webhook_body_bytes()) {
      ReadCount("limits.webhook_body_bytes", limits.webhook_body_bytes(), 1024, kMiB, settings.webhook_body_bytes);
    }
    if (limits.has_webhook_connections()) {
      ReadCount("limits.webhook_connections", limits.webhook_connections(), 1, 65536, settings.webhook_connections);
    }
    if (limits.has_webhook_connections_per_address()) {
      ReadCount("limits.webhook_connections_per_address", limits.webhook_connections_per_address(), 1, 65536,
                settings.webhook_connections_per_address);
    }
    if (limits.has_max_in_flight_sends()) {
      ReadCount("limits.max_in_flight_sends", limits.max_in_flight_sends(), 1, 1'000'000, settings.max_in_flight_sends);
    }
    if (limits.has_subscriptions()) {
      ReadCount("limits.subscriptions", limits.subscriptions(), 1, 100'000, settings.subscriptions);
    }
    if (limits.has_webhooks_in_flight()) {
      ReadCount("limits.webhooks_in_flight", limits.webhooks_in_flight(), 1, 1'000'000, settings.webhooks_in_flight);
    }
    if (limits.has_streams()) ReadCount("limits.streams", limits.streams(), 1, 1'000'000, settings.streams);
    if (limits.has_ring_bytes()) {
      ReadCount("limits.ring_bytes", limits.ring_bytes(), kMiB, 4096 * kMiB, settings.ring_bytes);
    }
    if (limits.has_stream_max_age()) {
      ReadDuration("limits.stream_max_age", limits.stream_max_age(), absl::Minutes(1), 7 * kDay,
                   settings.stream_max_age);
    }
    if (limits.has_stream_stall()) {
      ReadDuration("limits.stream_stall", limits.stream_stall(), absl::Seconds(1), absl::Hours(1),
                   settings.stream_stall);
    }
    if (limits.has_send_settle()) {
      ReadDuration("limits.send_settle", limits.send_settle(), absl::Seconds(1), absl::Minutes(10),
                   settings.send_settle);
    }
    if (limits.has_default_deadline()) {
      ReadDuration("limits.default_deadline", limits.default_deadline(), absl::Seconds(1), absl::Minutes(10),
                   settings.default_deadline);
    }
    if (limits.has_drain_delay()) {
      ReadDuration("limits.drain_delay", limits.drain_delay(), absl::ZeroDuration(), absl::Minutes(5),
                   settings.drain_delay);
    }
    ReadGrpcLimits();
  }

  void ReadGrpcLimits() {
    const config::v1::Limits& limits = config_.limits();
    LimitSettings& settings = settings_.limits;
    constexpr int64_t kMiB = 1 << 20;
    // A few images at once must fit in.
    if (limits.has_grpc_memory_bytes()) {
      ReadCount("limits.grpc_memory_bytes", limits.grpc_memory_bytes(), 64 * kMiB, kMiB * kMiB,
                settings.grpc_memory_bytes);
    }
    // gRPC aborts the process when it cannot make the few that it begins with.
    if (limits.has_grpc_threads()) {
      ReadCount("limits.grpc_threads", limits.grpc_threads(), 16, 4096, settings.grpc_threads);
    }
    if (limits.has_calls_per_connection()) {
      ReadCount("limits.calls_per_connection", limits.calls_per_connection(), 1, 1'000'000,
                settings.calls_per_connection);
    }
    if (limits.has_header_list_bytes()) {
      ReadCount("limits.header_list_bytes", limits.header_list_bytes(), 4096, 1 << 16, settings.header_list_bytes);
    }
    if (limits.has_keepalive_interval()) {
      ReadDuration("limits.keepalive_interval", limits.keepalive_interval(), absl::Seconds(1), absl::Hours(2),
                   settings.keepalive_interval);
    }
    if (limits.has_keepalive_timeout()) {
      ReadDuration("limits.keepalive_timeout", limits.keepalive_timeout(), absl::Seconds(1), absl::Minutes(10),
                   settings.keepalive_timeout);
    }
    if (limits.has_min_ping_interval()) {
      ReadDuration("limits.min_ping_interval", limits.min_ping_interval(), absl::Milliseconds(100), absl::Hours(2),
                   settings.min_ping_interval);
    }
  }

  void ReadSends() {
    const config::v1::Sends& sends = config_.sends();
    if (sends.has_request_id_retention()) {
      // At least as long as a claim can be under way, with room.
      ReadDuration("sends.request_id_retention", sends.request_id_retention(), absl::Hours(1), 90 * kDay,
                   settings_.sends.request_id_retention);
    }
    settings_.sends.refuse_when_quota_used_up = sends.refuse_when_quota_used_up();
  }

  void ReadCount(absl::string_view field, int64_t value, int64_t lowest, int64_t highest, size_t& setting) {
    if (value < lowest || value > highest) {
      problems_.Add(field, absl::StrCat(value, " is not within ", lowest, " to ", highest),
                    absl::StrCat("give a number in that range, or leave it out for ", setting));
      return;
    }
    setting = static_cast<size_t>(value);
  }

  void ReadDuration(absl::string_view field, const google::protobuf::Duration& given, absl::Duration shortest,
                    absl::Duration longest, absl::Duration& setting) {
    const absl::Duration value = FromProto(given);
    if (value < shortest || value > longest) {
      problems_.Add(field,
                    absl::StrCat(ToJsonDuration(value), " is not within ", ToJsonDuration(shortest), " to ",
                                 ToJsonDuration(longest)),
                    absl::StrCat("give a duration in that range, or leave it out for ", ToJsonDuration(setting)));
      return;
    }
    setting = value;
  }

  void ReadLogLevel() {
    if (!config_.log().has_level()) return;
    const std::string& name = config_.log().level();
    if (const auto level = ParseLogLevel(name)) {
      settings_.log_level = *level;
    } else {
      problems_.Add("log.level", absl::StrCat(Quoted(name), " is no level"), "write trace, debug, info, warn or error");
    }
  }

  const config::v1::GatewayConfig& config_;
  const Environment& environment_;
  const SecretFileReader& read_file_;
  Problems& problems_;
  Settings settings_;
};

}  // namespace

Settings MakeSettings(const config::v1::GatewayConfig& config, const Environment& environment,
                      const SecretFileReader& read_file, Problems& problems) {
  return SettingsReader(config, environment, read_file, problems).Read();
}

}  // namespace aulm::gateway
