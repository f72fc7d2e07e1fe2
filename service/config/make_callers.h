#pragma once

#include <optional>
#include <string>
#include <vector>

#include "aulm/gateway/config/v1/gateway_config.pb.h"
#include "service/config/problems.h"
#include "service/config/secret_file.h"
#include "service/config/settings.h"

namespace aulm::gateway {

// Reads `trusted_identity_header` of the gRPC listener; nullopt when it is absent or bad.
std::optional<TrustedIdentityHeader> MakeTrustedIdentityHeader(const config::v1::GrpcListener& listener,
                                                               Problems& problems);

// The callers of `config`, checked. `settings` has the listeners and the accounts already; to its warnings are added
// the lines about what is no error and probably not meant. Reads the token files with `read_file`.
std::vector<CallerSettings> MakeCallers(const config::v1::GatewayConfig& config, const SecretFileReader& read_file,
                                        Settings& settings, Problems& problems);

// Checks that `file` holds SHA-256 digests of tokens, and gives them back; none, with a problem, when it does not.
std::vector<Secret> ReadTokenDigests(absl::string_view field, const std::string& file,
                                     const SecretFileReader& read_file, Problems& problems);

}  // namespace aulm::gateway
