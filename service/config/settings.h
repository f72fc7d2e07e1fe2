#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "service/base/log.h"
#include "service/config/address_range.h"
#include "service/config/listen_address.h"
#include "service/config/pace.h"
#include "service/config/secret.h"

namespace aulm::gateway {

// The gateway's settings: what LoadSettings makes of the configuration file and the environment, validated, with every
// default filled in. Plain values that nothing changes after the start; only the files behind SecretSource are read
// again (SecretWatcher). docs/configuration.md describes each for users.

// The certificate that a listener shows. The files were readable when the settings were loaded.
struct TlsSettings {
  std::string certificate_file;  // PEM, the leaf first
  std::string key_file;          // PEM
  std::string client_ca_file;    // PEM; the gRPC listener's alone. Empty: clients are asked for no certificate
};

// An HTTP listener.
struct ListenerSettings {
  ListenAddress address;
  std::optional<TlsSettings> tls;  // plaintext without
};

// The admin listener.
struct AdminListenerSettings : ListenerSettings {
  AdminListenerSettings() : ListenerSettings{{"127.0.0.1", 9090}, std::nullopt} {}

  std::string token_sha256_file;  // digests of the page's bearer token; empty (on loopback alone): none is asked for
};

// The header in which a proxy that ends mutual TLS says whose certificate it has verified.
enum class IdentityHeader {
  kForwardedClientCert,  // x-forwarded-client-cert: Envoy, Istio
  kLinkerdClientId,      // l5d-client-id
};

// Its name, in lower case as gRPC has it.
constexpr absl::string_view HeaderName(IdentityHeader header) {
  return header == IdentityHeader::kForwardedClientCert ? "x-forwarded-client-cert" : "l5d-client-id";
}

struct TrustedIdentityHeader {
  IdentityHeader header = IdentityHeader::kForwardedClientCert;
  std::vector<AddressRange> from;  // the proxy's addresses, at least one
};

// The gRPC listener.
struct GrpcListenerSettings {
  ListenAddress address{"127.0.0.1", 50051};
  std::optional<TlsSettings> tls;  // plaintext without
  bool callers_optional = false;   // true: who shows no credentials may call all the same, whatever it likes
  std::optional<TrustedIdentityHeader> trusted_identity_header;
  bool reflection = true;  // false unless asked for off loopback
  bool channelz = false;
};

// What a caller may use of one kind of thing.
struct AllowList {
  bool all = false;
  absl::flat_hash_set<std::string> names;  // when not all; empty: nothing

  bool Allows(absl::string_view name) const { return all || names.contains(name); }
};

// One who may call. Exactly one of the first three says who it is.
struct CallerSettings {
  std::string name;               // [a-z0-9-]{1,63}, unique
  std::string token_sha256_file;  // digests of its bearer token, one a line, no other caller's
  std::string spiffe_id;          // spiffe://…, unique
  std::string dns_name;           // in lower case, unique
  AllowList methods;              // "SendText" …
  AllowList accounts;
  AllowList session_ids;         // UUIDs in lower case
  size_t max_streams = 0;        // SubscribeEvents at once; 0: no limit of its own
  size_t max_subscriptions = 0;  // durable ones; 0: no limit of its own
  double sends_per_second = 0;   // on average; 0: no limit of its own
};

// A store on NATS, besides its URL. Files were readable when the settings were loaded.
struct NatsSettings {
  std::string prefix = "aulm";   // of streams and subjects: 1 to 32 characters of [a-z0-9-]
  int replicas = 0;              // copies of each stream, 1 to 5; 0: three in a cluster, one on a single server
  std::string credentials_file;  // empty: none
  bool tls = false;              // also without any of these files
  std::string ca_file;           // PEM; empty: the system's
  std::string certificate_file;  // PEM, with key_file; empty: none
  std::string key_file;
  bool synced = false;  // the servers fsync before they acknowledge
};

// The store (design: one engine for the log and the state).
struct StoreSettings {
  std::string url = "sqlite://./data";
  std::string folder = "./data";  // the folder that `url` names, made when it is missing; empty for a store on NATS
  NatsSettings nats;
  absl::Duration retention = absl::Hours(24 * 30);         // of events; at least 1 h
  int64_t max_bytes = 0;                                   // of the log; 0: no bound
  absl::Duration dedupe_retention = absl::Hours(24 * 30);  // of delivery ids; at least 30 days
};

// Where a secret comes from: a file that is read again when it changes, or a value given once by the environment.
struct SecretSource {
  std::string file;  // a path; empty when the environment gave the value
  Secret value;      // used only when `file` is empty
};

// What a delivery gets whose signature is well-formed but wrong.
enum class OnSignatureMismatch {
  kReject,  // 401
  kRetry,   // 429 with Retry-After
};

// One aulm account.
struct AccountSettings {
  std::string name = "default";                  // [a-z0-9-]{1,63}, unique
  std::string base_url = "https://api.aulm.io";  // scheme://host[:port], no slash at the end; http to loopback only
  SecretSource api_key;                          // begins with alm_sk_live_ or alm_sk_test_
  std::vector<SecretSource> webhook_secrets;     // at least one; a delivery signed with any of them is taken
  OnSignatureMismatch on_signature_mismatch = OnSignatureMismatch::kReject;
  std::vector<std::string> session_ids;  // UUIDs in lower case, none in two accounts; empty: not stated
  absl::Duration session_poll_interval = absl::ZeroDuration();  // of session_ids; zero: never
  absl::Duration suspect_after = absl::Minutes(10);             // connected, and no status for so long; zero: never
};

// Bounds that keep one caller, aulm or a stranger from using up the process.
struct LimitSettings {
  size_t max_image_bytes = 5 << 20;                     // of raw bytes, before base64
  size_t webhook_body_bytes = 1 << 20;                  // of a delivery
  size_t webhook_connections = 1024;                    // at the limit an idle one, else the slowest gives way
  size_t webhook_connections_per_address = 512;         // the same, among those of one address
  size_t max_in_flight_sends = 10'000;                  // beyond it OVERLOADED
  size_t subscriptions = 1000;                          // durable ones, of all callers
  size_t webhooks_in_flight = 8192;                     // taken and not yet durable; beyond it 429
  size_t streams = 10'000;                              // SubscribeEvents streams
  absl::Duration stream_max_age = absl::Hours(1);       // a stream is drained at about this age
  absl::Duration stream_stall = absl::Seconds(60);      // a stream that takes nothing for so long is ended
  size_t ring_bytes = 32 << 20;                         // of recent events kept encoded in memory for live streams
  absl::Duration send_settle = absl::Seconds(60);       // a send goes on for so long once its first byte was written
  absl::Duration default_deadline = absl::Seconds(30);  // of unary calls whose caller set none
  absl::Duration drain_delay = absl::ZeroDuration();    // between SIGTERM and the stop; until then only health says no
  size_t grpc_memory_bytes = 512 << 20;                 // of gRPC's own, for connections and messages
  size_t grpc_threads = 32;                             // of gRPC's own services, such as reflection
  size_t calls_per_connection = 1000;                   // open at once, streams among them
  size_t header_list_bytes = 8192;                      // a call's metadata, in all
  absl::Duration keepalive_interval = absl::Seconds(30);  // a quiet gRPC connection is pinged
  absl::Duration keepalive_timeout = absl::Seconds(10);   // and closed when that is not answered
  absl::Duration min_ping_interval = absl::Seconds(10);   // a caller that pings more often is sent away
};

// What a send passes through besides its pace.
struct SendSettings {
  absl::Duration request_id_retention = absl::Hours(24);  // a repeat within it is not sent again
  bool refuse_when_quota_used_up = false;                 // without asking aulm, until the quota's reset
};

struct Settings {
  GrpcListenerSettings grpc;
  ListenerSettings webhook{{"127.0.0.1", 8080}, std::nullopt};
  AdminListenerSettings admin;
  StoreSettings store;
  std::vector<AccountSettings> accounts;  // at least one
  std::vector<CallerSettings> callers;    // none: callers are not told apart
  LimitSettings limits;
  SendSettings sends;
  Paces paces;  // for live keys; test keys are not paced
  LogLevel log_level = LogLevel::kInfo;
  // Lines for the log at start: things that are no error and probably not meant, such as an unknown GATEWAY_ variable.
  std::vector<std::string> warnings;
};

}  // namespace aulm::gateway
