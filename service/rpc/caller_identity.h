#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "service/config/address_range.h"

// Who somebody is by a certificate, whether gRPC itself verified it or a proxy that is believed did and says so in a
// header. Plain functions of hostile text; thread-safe, never block.
namespace aulm::gateway {

// The names that one certificate gives its holder.
struct CertificateNames {
  std::string spiffe_id;               // its only URI; empty when it has none, or another kind of URI
  std::vector<std::string> dns_names;  // in lower case

  bool empty() const { return spiffe_id.empty() && dns_names.empty(); }
};

// Of a certificate's subject alternative names. One with several URIs, of which one is a SPIFFE id, has no identity at
// all (X509-SVID, section 2): INVALID_ARGUMENT.
absl::StatusOr<CertificateNames> NamesOfCertificate(const std::vector<std::string>& uris,
                                                    const std::vector<std::string>& dns_names);

// Of an x-forwarded-client-cert header as Envoy writes it. Of its elements only the last counts, which the nearest
// proxy wrote; earlier ones came with the request. INVALID_ARGUMENT where it is not well-formed: then nobody can say
// what a client smuggled into it.
absl::StatusOr<CertificateNames> NamesOfForwardedClientCert(absl::string_view header);

// Of an l5d-client-id header: one DNS name, or a SPIFFE id. INVALID_ARGUMENT for anything else.
absl::StatusOr<CertificateNames> NamesOfLinkerdClientId(absl::string_view header);

// The address in what grpc::ServerContext::peer says: "ipv4:10.0.0.1:4711", "ipv6:%5B::1%5D:4711". nullopt for sockets
// without one.
std::optional<IpAddress> AddressOfPeer(absl::string_view peer);

}  // namespace aulm::gateway
