#include "service/rpc/caller_directory.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include <cstring>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "grpc/grpc_security_constants.h"
#include "grpcpp/security/auth_context.h"
#include "service/base/status_details.h"

namespace aulm::gateway {
namespace {

constexpr char kAuthorization[] = "authorization";

absl::string_view View(const grpc::string_ref& text) { return {text.data(), text.size()}; }

// The values of one key of the call's metadata.
std::vector<absl::string_view> Metadata(const grpc::ServerContextBase& context, absl::string_view key) {
  std::vector<absl::string_view> values;
  const auto [begin, end] = context.client_metadata().equal_range(grpc::string_ref(key.data(), key.size()));
  for (auto entry = begin; entry != end; ++entry) values.push_back(View(entry->second));
  return values;
}

std::vector<std::string> Property(const grpc::AuthContext& context, const char* name) {
  std::vector<std::string> values;
  for (const grpc::string_ref& value : context.FindPropertyValues(name)) values.emplace_back(View(value));
  return values;
}

absl::StatusOr<CertificateNames> NamesOfPeer(const grpc::ServerContextBase& context) {
  const std::shared_ptr<const grpc::AuthContext> peer = context.auth_context();
  if (peer == nullptr || !peer->IsPeerAuthenticated()) return CertificateNames();
  return NamesOfCertificate(Property(*peer, GRPC_PEER_URI_PROPERTY_NAME), Property(*peer, GRPC_PEER_DNS_PROPERTY_NAME));
}

}  // namespace

CallerDirectory::CallerDirectory(const Clock& clock, prometheus::Registry& registry)
    : metrics_(std::make_unique<CallerMetrics>(registry)),
      anyone_(std::make_unique<Caller>(Caller::Anyone(), *metrics_, clock)) {}

absl::StatusOr<std::unique_ptr<CallerDirectory>> CallerDirectory::Create(const Settings& settings,
                                                                         SecretWatcher& secrets, const Clock& clock,
                                                                         prometheus::Registry& registry) {
  auto directory = std::make_unique<CallerDirectory>(clock, registry);
  directory->optional_ = settings.grpc.callers_optional;
  directory->certificates_ = settings.grpc.tls.has_value() && !settings.grpc.tls->client_ca_file.empty();
  directory->trusted_header_ = settings.grpc.trusted_identity_header;
  for (const CallerSettings& entry : settings.callers) {
    directory->callers_.push_back(std::make_unique<Caller>(entry, *directory->metrics_, clock));
    Caller* const caller = directory->callers_.back().get();
    if (!entry.spiffe_id.empty()) directory->by_spiffe_id_.emplace(entry.spiffe_id, caller);
    if (!entry.dns_name.empty()) directory->by_dns_name_.emplace(entry.dns_name, caller);
    if (entry.token_sha256_file.empty()) continue;
    auto digests = secrets.Watch({.account = "",
                                  .format = SecretFormat::kTokenDigests,
                                  .sources = {{.file = entry.token_sha256_file, .value = Secret()}},
                                  .on_change = [watching = directory.get()](const auto&) { watching->GatherTokens(); },
                                  .caller = entry.name});
    if (!digests.ok()) return digests.status();
    absl::MutexLock lock(&directory->mutex_);
    directory->token_files_.push_back({caller, *std::move(digests)});
  }
  directory->GatherTokens();
  return directory;
}

void CallerDirectory::GatherTokens() {
  absl::MutexLock lock(&mutex_);
  if (token_files_.empty()) return;
  auto tokens = std::make_shared<Tokens>();
  for (const TokenFile& file : token_files_) {
    const WatchedSecrets::Snapshot digests = file.digests->Current();
    for (const Secret& digest : digests->secrets) {
      Token& token = tokens->emplace_back();
      token.caller = file.caller;
      std::memcpy(token.digest.data(), digest.Reveal().data(), token.digest.size());
    }
  }
  tokens_ = std::move(tokens);
}

absl::StatusOr<Caller*> CallerDirectory::Identify(const grpc::ServerContextBase& context) const {
  if (callers_.empty()) return anyone_.get();
  bool has_tokens;
  {
    absl::MutexLock lock(&mutex_);
    has_tokens = tokens_ != nullptr;
  }
  if (has_tokens) {
    const std::vector<absl::string_view> authorization = Metadata(context, kAuthorization);
    if (authorization.size() > 1) return Unknown(Credentials::kToken, "the call has more than one authorization");
    if (authorization.size() == 1) return ByToken(authorization.front());
  }
  if (trusted_header_.has_value() && Trusts(context)) {
    const std::vector<absl::string_view> header = Metadata(context, HeaderName(trusted_header_->header));
    if (header.size() > 1) return Unknown(Credentials::kHeader, "the proxy's header came more than once");
    if (header.size() == 1) {
      return ByNames(trusted_header_->header == IdentityHeader::kForwardedClientCert
                         ? NamesOfForwardedClientCert(header.front())
                         : NamesOfLinkerdClientId(header.front()),
                     Credentials::kHeader);
    }
  }
  if (certificates_) {
    const absl::StatusOr<CertificateNames> names = NamesOfPeer(context);
    if (!names.ok() || !names->empty()) return ByNames(names, Credentials::kCertificate);
  }
  if (optional_) return anyone_.get();
  return Unknown(Credentials::kNone,
                 "the call comes with no credentials: give its token as authorization metadata, "
                 "Bearer and the token, or show a client certificate");
}

absl::StatusOr<Caller*> CallerDirectory::ByToken(absl::string_view authorization) const {
  constexpr absl::string_view kScheme = "Bearer ";
  if (!absl::StartsWithIgnoreCase(authorization, kScheme)) {
    return Unknown(Credentials::kToken, "the authorization is no Bearer and a token");
  }
  const absl::string_view token = absl::StripAsciiWhitespace(authorization.substr(kScheme.size()));
  Digest digest;
  SHA256(reinterpret_cast<const unsigned char*>(token.data()), token.size(), digest.data());
  std::shared_ptr<const Tokens> tokens;
  {
    absl::MutexLock lock(&mutex_);
    tokens = tokens_;
  }
  // All are compared, each in constant time: the time tells nothing about which one is near.
  Caller* found = nullptr;
  bool ambiguous = false;
  for (const Token& known : *tokens) {
    const bool same = CRYPTO_memcmp(known.digest.data(), digest.data(), digest.size()) == 0;
    ambiguous |= same && found != nullptr && found != known.caller;
    found = same ? known.caller : found;
  }
  // Files may come to hold the same digest while the gateway runs: then nobody knows who it is.
  if (found == nullptr || ambiguous) return Unknown(Credentials::kToken, "the token is no caller's");
  return found;
}

absl::StatusOr<Caller*> CallerDirectory::ByNames(const absl::StatusOr<CertificateNames>& names,
                                                 Credentials credentials) const {
  const absl::string_view what = credentials == Credentials::kHeader ? "the proxy's header" : "the certificate";
  if (!names.ok()) return Unknown(credentials, absl::StrCat(what, " ", names.status().message()));
  Caller* found = nullptr;
  if (const auto entry = by_spiffe_id_.find(names->spiffe_id); entry != by_spiffe_id_.end()) return entry->second;
  for (const std::string& name : names->dns_names) {
    const auto entry = by_dns_name_.find(name);
    if (entry == by_dns_name_.end()) continue;
    if (found != nullptr && found != entry->second) {
      return Unknown(credentials, absl::StrCat(what, " has the names of several callers"));
    }
    found = entry->second;
  }
  if (found != nullptr) return found;
  if (optional_) return anyone_.get();
  return Unknown(credentials, absl::StrCat(what, " names no caller"));
}

std::shared_ptr<const EventVisibility> CallerDirectory::VisibilityOf(absl::string_view name) const {
  for (const std::unique_ptr<Caller>& caller : callers_) {
    if (caller->name() == name) return caller->visibility();
  }
  return nullptr;
}

bool CallerDirectory::Trusts(const grpc::ServerContextBase& context) const {
  const std::optional<IpAddress> address = AddressOfPeer(context.peer());
  if (!address.has_value()) return false;
  for (const AddressRange& range : trusted_header_->from) {
    if (range.Contains(*address)) return true;
  }
  return false;
}

absl::Status CallerDirectory::Unknown(Credentials credentials, absl::string_view message) const {
  metrics_->NoteUnknown(credentials);
  return GatewayError(GatewayReason::kCallerUnknown, message, {{"credentials", CredentialsName(credentials)}});
}

}  // namespace aulm::gateway
