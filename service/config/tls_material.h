#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "service/config/secret.h"
#include "service/config/settings.h"

namespace aulm::gateway {

// What a TLS listener shows and whom it trusts: the contents of its files, found to fit together.
struct TlsMaterial {
  std::string certificate_chain;  // PEM, the leaf first
  Secret key;                     // PEM, the leaf's private key
  absl::Time expires;             // when the leaf does
  std::string client_ca;  // PEM of the authorities whose certificates clients may show; empty: none is asked for

  bool operator==(const TlsMaterial&) const = default;
};

// Looks at the contents of the files that `files` names, as a listener would use them; `client_ca` is empty where it
// names none. INVALID_ARGUMENT with
// "<path> <problem>: <remedy>" when one is no PEM, when the key has a passphrase, or is another certificate's. A
// certificate that has expired is taken all the same: it is the client's to refuse, and ours to tell (`expires`).
absl::StatusOr<TlsMaterial> MakeTlsMaterial(const TlsSettings& files, const Secret& certificate, const Secret& key,
                                            const Secret& client_ca = Secret());

}  // namespace aulm::gateway
