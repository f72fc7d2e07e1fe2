#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "grpcpp/server_context.h"
#include "prometheus/registry.h"
#include "service/base/clock.h"
#include "service/config/secret_watcher.h"
#include "service/config/settings.h"
#include "service/rpc/caller.h"
#include "service/rpc/caller_identity.h"
#include "service/rpc/caller_metrics.h"

namespace aulm::gateway {

// Tells who calls: by a bearer token, by the header of a proxy that is believed, or by the certificate that gRPC has
// verified, in this order; what a call comes with first decides alone. With no callers in the configuration, everyone
// is the caller without a name, who may do everything; with some, nobody else may call. Every call of every service
// passes here first (UnaryCall, SubscribeReactor). Thread-safe; never blocks.
class CallerDirectory {
 public:
  // The callers and the gRPC listener of `settings`. Token files are read (which blocks) and followed by `secrets`.
  // Error: a token file that cannot be used. `clock` and `registry` outlive it, and it the watcher's thread.
  static absl::StatusOr<std::unique_ptr<CallerDirectory>> Create(const Settings& settings, SecretWatcher& secrets,
                                                                 const Clock& clock, prometheus::Registry& registry);

  // One that tells nobody apart.
  CallerDirectory(const Clock& clock, prometheus::Registry& registry);

  CallerDirectory(const CallerDirectory&) = delete;
  CallerDirectory& operator=(const CallerDirectory&) = delete;

  // UNAUTHENTICATED CALLER_UNKNOWN, with metadata `credentials` = none | token | certificate | header. The caller lives
  // as long as this.
  absl::StatusOr<Caller*> Identify(const grpc::ServerContextBase& context) const ABSL_LOCKS_EXCLUDED(mutex_);

  // What the caller of that name may see (null: everything; for an empty name and one that is not there any more as
  // well, whose subscriptions nobody can reach).
  std::shared_ptr<const EventVisibility> VisibilityOf(absl::string_view name) const;

 private:
  using Digest = std::array<uint8_t, 32>;
  struct Token {
    Digest digest;
    Caller* caller;
  };
  using Tokens = std::vector<Token>;
  // A caller's token file.
  struct TokenFile {
    Caller* caller;
    std::shared_ptr<const WatchedSecrets> digests;
  };

  absl::StatusOr<Caller*> ByToken(absl::string_view authorization) const ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<Caller*> ByNames(const absl::StatusOr<CertificateNames>& names, Credentials credentials) const;
  absl::Status Unknown(Credentials credentials, absl::string_view message) const;
  bool Trusts(const grpc::ServerContextBase& context) const;
  // Whenever a token file has changed.
  void GatherTokens() ABSL_LOCKS_EXCLUDED(mutex_);

  std::unique_ptr<CallerMetrics> metrics_;
  std::unique_ptr<Caller> anyone_;
  std::vector<std::unique_ptr<Caller>> callers_;  // none: everyone is anyone_
  bool optional_ = false;
  bool certificates_ = false;  // the listener asks for them
  std::optional<TrustedIdentityHeader> trusted_header_;
  absl::flat_hash_map<std::string, Caller*> by_spiffe_id_;
  absl::flat_hash_map<std::string, Caller*> by_dns_name_;

  mutable absl::Mutex mutex_;
  std::vector<TokenFile> token_files_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<const Tokens> tokens_ ABSL_GUARDED_BY(mutex_);  // null: no caller has a token
};

}  // namespace aulm::gateway
