#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "service/base/log.h"
#include "service/config/listen_address.h"
#include "service/config/pace.h"
#include "service/config/secret.h"

namespace aulm::gateway {

// The gateway's settings: what LoadSettings makes of the configuration file and the environment, validated, with every
// default filled in. Plain values that nothing changes after the start; only the files behind SecretSource are read
// again (SecretWatcher). docs/configuration.md describes each for users.

// The certificate that a listener shows. Both files were readable when the settings were loaded.
struct TlsSettings {
  std::string certificate_file;  // PEM, the leaf first
  std::string key_file;          // PEM
};

// An HTTP listener.
struct ListenerSettings {
  ListenAddress address;
  std::optional<TlsSettings> tls;  // plaintext without
};

// The gRPC listener.
struct GrpcListenerSettings {
  ListenAddress address{"127.0.0.1", 50051};
  std::optional<TlsSettings> tls;  // plaintext without
  bool callers_optional = false;   // true: anyone who reaches the port may call. Always true off loopback for now
};

// The store (design: one engine for the log and the state).
struct StoreSettings {
  std::string url = "sqlite://./data";
  std::string folder = "./data";                           // the folder that `url` names; made when it is missing
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
  size_t webhooks_in_flight = 8192;                     // taken and not yet durable; beyond it 429
  size_t streams = 10'000;                              // SubscribeEvents streams
  absl::Duration stream_max_age = absl::Hours(1);       // a stream is drained at about this age
  absl::Duration stream_stall = absl::Seconds(60);      // a stream that takes nothing for so long is ended
  size_t ring_bytes = 32 << 20;                         // of recent events kept encoded in memory for live streams
  absl::Duration send_settle = absl::Seconds(60);       // a send goes on for so long once its first byte was written
  absl::Duration default_deadline = absl::Seconds(30);  // of unary calls whose caller set none
  absl::Duration drain_delay = absl::ZeroDuration();    // between SIGTERM and the stop; until then only health says no
};

// What a send passes through besides its pace.
struct SendSettings {
  absl::Duration request_id_retention = absl::Hours(24);  // a repeat within it is not sent again
  bool refuse_when_quota_used_up = false;                 // without asking aulm, until the quota's reset
};

struct Settings {
  GrpcListenerSettings grpc;
  ListenerSettings webhook{{"127.0.0.1", 8080}, std::nullopt};
  ListenerSettings admin{{"127.0.0.1", 9090}, std::nullopt};
  StoreSettings store;
  std::vector<AccountSettings> accounts;  // at least one
  LimitSettings limits;
  SendSettings sends;
  Paces paces;  // for live keys; test keys are not paced
  LogLevel log_level = LogLevel::kInfo;
  // Lines for the log at start: things that are no error and probably not meant, such as an unknown GATEWAY_ variable.
  std::vector<std::string> warnings;
};

}  // namespace aulm::gateway
