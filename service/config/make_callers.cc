#include "service/config/make_callers.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "service/base/text.h"
#include "service/config/method_names.h"
#include "service/config/spelling.h"

namespace aulm::gateway {
namespace {

constexpr int kMostCallers = 1000;
constexpr size_t kLongestName = 63;
constexpr size_t kLongestIdentity = 2048;
constexpr size_t kLongestDnsName = 253;
constexpr int kMostOfACaller = 1'000'000;
constexpr double kFewestSends = 0.001;
constexpr double kMostSends = 1'000'000;
// What a shorter prefix takes in is no list of proxies.
constexpr int kShortestIpv4Prefix = 96 + 8;
constexpr int kShortestIpv6Prefix = 16;
constexpr char kAll[] = "*";

bool IsCallerName(absl::string_view name) {
  return !name.empty() && name.size() <= kLongestName && std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return absl::ascii_islower(c) || absl::ascii_isdigit(c) || c == '-';
  });
}

// What SPIFFE-ID, section 2, allows: a trust domain, and a path of plain segments.
bool IsSpiffeId(absl::string_view id) {
  if (id.size() > kLongestIdentity || !absl::ConsumePrefix(&id, "spiffe://")) return false;
  const std::vector<absl::string_view> parts = absl::StrSplit(id, '/');
  const auto is_plain = [](unsigned char c) { return absl::ascii_isalnum(c) || c == '-' || c == '_' || c == '.'; };
  const absl::string_view domain = parts.front();
  if (domain.empty() || domain.size() > 255 || !std::all_of(domain.begin(), domain.end(), is_plain) ||
      std::any_of(domain.begin(), domain.end(), absl::ascii_isupper)) {
    return false;
  }
  return std::all_of(parts.begin() + 1, parts.end(), [&](absl::string_view segment) {
    return !segment.empty() && segment != "." && segment != ".." &&
           std::all_of(segment.begin(), segment.end(), is_plain);
  });
}

bool IsDnsName(absl::string_view name) {
  if (name.empty() || name.size() > kLongestDnsName) return false;
  const std::vector<absl::string_view> labels = absl::StrSplit(name, '.');
  return std::all_of(labels.begin(), labels.end(), [](absl::string_view label) {
    return !label.empty() && label.size() <= 63 && label.front() != '-' && label.back() != '-' &&
           std::all_of(label.begin(), label.end(),
                       [](unsigned char c) { return absl::ascii_isalnum(c) || c == '-' || c == '_'; });
  });
}

// One pass over all callers.
class CallerReader {
 public:
  CallerReader(const SecretFileReader& read_file, Settings& settings, Problems& problems)
      : read_file_(read_file), settings_(settings), problems_(problems) {}

  std::vector<CallerSettings> Read(const config::v1::GatewayConfig& config) {
    if (config.callers_size() > kMostCallers) {
      problems_.Add("callers", absl::StrCat("has more than ", kMostCallers, " entries"),
                    "let those that may do the same share one");
      return {};
    }
    std::vector<CallerSettings> callers;
    callers.reserve(config.callers_size());
    for (int i = 0; i < config.callers_size(); ++i) {
      callers.push_back(ReadCaller(absl::StrCat("callers[", i, "]"), config.callers(i)));
    }
    return callers;
  }

 private:
  CallerSettings ReadCaller(const std::string& path, const config::v1::Caller& caller) {
    CallerSettings settings;
    settings.name = ReadName(path, caller.name());
    ReadIdentity(path, caller, settings);
    settings.methods = ReadList(path, "methods", caller.methods(), [this](const std::string& field, std::string name) {
      CheckMethod(field, name);
      return name;
    });
    settings.accounts =
        ReadList(path, "accounts", caller.accounts(), [this](const std::string& field, std::string name) {
          CheckAccount(field, name);
          return name;
        });
    settings.session_ids =
        ReadList(path, "session_ids", caller.session_ids(), [this](const std::string& field, std::string id) {
          absl::AsciiStrToLower(&id);
          if (!IsUuid(id)) {
            problems_.Add(field, absl::StrCat(Quoted(id), " is not a UUID"),
                          "copy the session's id from aulm's dashboard, or write \"*\" alone for all");
          }
          return id;
        });
    ReadLimits(path, caller, settings);
    WarnOfNothing(path, settings);
    return settings;
  }

  std::string ReadName(const std::string& path, const std::string& name) {
    const std::string field = absl::StrCat(path, ".name");
    if (name.empty()) {
      problems_.Add(field, "is missing", "give each caller a name of its own, such as \"shop\"");
    } else if (!IsCallerName(name)) {
      problems_.Add(field, Quoted(name), "write 1 to 63 characters of a to z, 0 to 9 and -");
    } else {
      CheckUnique(names_, name, field, Quoted(name), "give each caller a name of its own");
    }
    return name;
  }

  void ReadIdentity(const std::string& path, const config::v1::Caller& caller, CallerSettings& settings) {
    const int given = caller.has_token_sha256_file() + caller.has_spiffe_id() + caller.has_dns_name();
    if (given == 0) {
      problems_.Add(path, "does not say who it is", "give it token_sha256_file, spiffe_id or dns_name");
    } else if (given > 1) {
      problems_.Add(path, "says in more than one way who it is",
                    "leave one of token_sha256_file, spiffe_id and dns_name, or make two callers of it");
    } else if (caller.has_token_sha256_file()) {
      ReadTokenFile(absl::StrCat(path, ".token_sha256_file"), caller.token_sha256_file(), settings);
    } else if (caller.has_spiffe_id()) {
      const std::string field = absl::StrCat(path, ".spiffe_id");
      settings.spiffe_id = caller.spiffe_id();
      if (IsSpiffeId(settings.spiffe_id)) {
        CheckUnique(identities_, settings.spiffe_id, field, Quoted(settings.spiffe_id), "list each identity once");
      } else {
        problems_.Add(field, absl::StrCat(Quoted(settings.spiffe_id), " is no SPIFFE id"),
                      "write it as in the certificate, such as spiffe://cluster.local/ns/shop/sa/orders");
      }
      CheckCertificates(field);
    } else {
      const std::string field = absl::StrCat(path, ".dns_name");
      settings.dns_name = absl::AsciiStrToLower(caller.dns_name());
      if (IsDnsName(settings.dns_name)) {
        CheckUnique(identities_, settings.dns_name, field, Quoted(settings.dns_name), "list each identity once");
      } else {
        problems_.Add(field, absl::StrCat(Quoted(settings.dns_name), " is no whole DNS name"),
                      "write it as in the certificate, without wildcards, such as orders.shop.example.com");
      }
      CheckCertificates(field);
    }
  }

  void ReadTokenFile(const std::string& field, const std::string& file, CallerSettings& settings) {
    settings.token_sha256_file = file;
    for (const Secret& digest : ReadTokenDigests(field, file, read_file_, problems_)) {
      CheckUnique(tokens_, std::string(digest.Reveal()), field, "holds the digest of a token that",
                  "give each caller a token of its own");
    }
  }

  // Without either, nobody could ever show a certificate.
  void CheckCertificates(const std::string& field) {
    const bool shown = settings_.grpc.tls.has_value() && !settings_.grpc.tls->client_ca_file.empty();
    if (shown || settings_.grpc.trusted_identity_header.has_value()) return;
    problems_.Add(field, "is of a certificate, and callers are asked for none",
                  "set listeners.grpc.tls.client_ca_file, or listeners.grpc.trusted_identity_header behind a mesh");
  }

  template <typename List, typename Reader>
  AllowList ReadList(const std::string& path, absl::string_view name, const List& list, Reader read) {
    AllowList allowed;
    for (int i = 0; i < list.size(); ++i) {
      if (list[i] == kAll) {
        allowed.all = true;
      } else {
        allowed.names.insert(read(absl::StrCat(path, ".", name, "[", i, "]"), list[i]));
      }
    }
    if (allowed.all && !allowed.names.empty()) {
      problems_.Add(absl::StrCat(path, ".", name), "has \"*\" beside others",
                    "leave \"*\" alone for all, or take it out");
    }
    return allowed;
  }

  void CheckMethod(const std::string& field, const std::string& name) {
    if (std::find(kMethodNames.begin(), kMethodNames.end(), name) != kMethodNames.end()) return;
    const absl::string_view meant = ClosestName(name, {kMethodNames.begin(), kMethodNames.end()});
    problems_.Add(field, absl::StrCat(Quoted(name), " is no method"),
                  meant.empty() ? "write its bare name, such as \"SendText\", or \"*\" alone for all"
                                : absl::StrCat("did you mean ", meant, "?"));
  }

  void CheckAccount(const std::string& field, const std::string& name) {
    const auto has_name = [&name](const AccountSettings& account) { return account.name == name; };
    if (std::any_of(settings_.accounts.begin(), settings_.accounts.end(), has_name)) return;
    problems_.Add(field, absl::StrCat(Quoted(name), " is no account"),
                  "write the name of one of accounts, or \"*\" alone for all");
  }

  void ReadCount(const std::string& field, int32_t given, size_t& setting) {
    if (given >= 0 && given <= kMostOfACaller) {
      setting = static_cast<size_t>(given);
    } else {
      problems_.Add(field, absl::StrCat(given, " is not within 0 to ", kMostOfACaller),
                    "give a number in that range, or leave it out for no limit");
    }
  }

  void ReadLimits(const std::string& path, const config::v1::Caller& caller, CallerSettings& settings) {
    ReadCount(absl::StrCat(path, ".max_streams"), caller.max_streams(), settings.max_streams);
    ReadCount(absl::StrCat(path, ".max_subscriptions"), caller.max_subscriptions(), settings.max_subscriptions);
    const double sends = caller.sends_per_second();
    if (sends == 0 || (sends >= kFewestSends && sends <= kMostSends)) {
      settings.sends_per_second = sends;
    } else {
      problems_.Add(absl::StrCat(path, ".sends_per_second"), "is neither 0 nor within 0.001 to 1000000",
                    "give a number in that range, or leave it out for no limit");
    }
  }

  void WarnOfNothing(const std::string& path, const CallerSettings& caller) {
    const auto nothing = [](const AllowList& list) { return !list.all && list.names.empty(); };
    std::vector<absl::string_view> empty;
    if (nothing(caller.methods)) empty.emplace_back("methods");
    if (nothing(caller.accounts)) empty.emplace_back("accounts");
    if (nothing(caller.session_ids)) empty.emplace_back("session_ids");
    if (empty.empty()) return;
    settings_.warnings.push_back(absl::StrCat(path, ": ", absl::StrJoin(empty, " and "),
                                              " let it use nothing: \"*\" stands for all, and an empty list for none"));
  }

  // Adds `key`, found at `field`; a problem where it stands elsewhere already.
  void CheckUnique(absl::flat_hash_map<std::string, std::string>& seen, const std::string& key,
                   const std::string& field, absl::string_view shown, absl::string_view remedy) {
    const auto [first, is_new] = seen.emplace(key, field);
    if (!is_new) problems_.Add(field, absl::StrCat(shown, " is also ", first->second), remedy);
  }

  const SecretFileReader& read_file_;
  Settings& settings_;
  Problems& problems_;
  absl::flat_hash_map<std::string, std::string> names_;       // name → its field, and so on
  absl::flat_hash_map<std::string, std::string> identities_;  // of certificates
  absl::flat_hash_map<std::string, std::string> tokens_;
};

}  // namespace

std::optional<TrustedIdentityHeader> MakeTrustedIdentityHeader(const config::v1::GrpcListener& listener,
                                                               Problems& problems) {
  if (!listener.has_trusted_identity_header()) return std::nullopt;
  const config::v1::TrustedIdentityHeader& given = listener.trusted_identity_header();
  const std::string path = "listeners.grpc.trusted_identity_header";
  TrustedIdentityHeader trusted;
  bool good = true;
  const auto bad = [&](absl::string_view field, absl::string_view problem, absl::string_view remedy) {
    problems.Add(absl::StrCat(path, ".", field), problem, remedy);
    good = false;
  };
  if (absl::EqualsIgnoreCase(given.name(), "x-forwarded-client-cert")) {
    trusted.header = IdentityHeader::kForwardedClientCert;
  } else if (absl::EqualsIgnoreCase(given.name(), "l5d-client-id")) {
    trusted.header = IdentityHeader::kLinkerdClientId;
  } else {
    bad("name", absl::StrCat(Quoted(given.name()), " is no header that is known"),
        "write x-forwarded-client-cert (Envoy, Istio) or l5d-client-id (Linkerd)");
  }
  if (given.from_addresses().empty()) {
    bad("from_addresses", "is empty", "give the addresses of the proxy that sets the header, such as 127.0.0.6");
  }
  for (int i = 0; i < given.from_addresses_size(); ++i) {
    const std::string field = absl::StrCat("from_addresses[", i, "]");
    const std::string& text = given.from_addresses(i);
    const auto range = AddressRange::Parse(text);
    if (!range.has_value()) {
      bad(field, absl::StrCat(Quoted(text), " is no IP address"),
          "write one such as 127.0.0.6, or a prefix such as 10.1.2.0/28");
    } else if (range->prefix_bits() < (absl::StrContains(text, ':') ? kShortestIpv6Prefix : kShortestIpv4Prefix)) {
      bad(field, absl::StrCat(Quoted(text), " takes in too many addresses"),
          "name the proxy's own: whoever calls from there is believed to be anyone");
    } else {
      trusted.from.push_back(*range);
    }
  }
  return good ? std::optional<TrustedIdentityHeader>(std::move(trusted)) : std::nullopt;
}

std::vector<CallerSettings> MakeCallers(const config::v1::GatewayConfig& config, const SecretFileReader& read_file,
                                        Settings& settings, Problems& problems) {
  return CallerReader(read_file, settings, problems).Read(config);
}

std::vector<Secret> ReadTokenDigests(absl::string_view field, const std::string& file,
                                     const SecretFileReader& read_file, Problems& problems) {
  const auto content = read_file(file);
  if (!content.ok()) {
    problems.Add(field, absl::StrCat(ShownPath(file), content.status().message()),
                 "give the path of a file that holds the token's SHA-256");
    return {};
  }
  auto digests = ParseSecrets(SecretFormat::kTokenDigests, content->Reveal());
  if (digests.ok()) return *std::move(digests);
  problems.Add(absl::StrCat(field, ": ", OnOneLine(file)), digests.status());
  return {};
}

}  // namespace aulm::gateway
