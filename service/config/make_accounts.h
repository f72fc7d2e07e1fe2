#pragma once

#include <vector>

#include "aulm/gateway/config/v1/gateway_config.pb.h"
#include "service/config/environment.h"
#include "service/config/problems.h"
#include "service/config/secret_file.h"
#include "service/config/settings.h"

namespace aulm::gateway {

// The accounts of `config` with what the environment says laid over: AULM_BASE_URL holds for every account, the key and
// the secret variables for the account "default", which they make when the file has none of that name. Reads the secret
// files with `read_file` and keeps only their paths. Adds a problem for whatever no gateway could work with.
std::vector<AccountSettings> MakeAccounts(const config::v1::GatewayConfig& config, const Environment& environment,
                                          const SecretFileReader& read_file, Problems& problems);

}  // namespace aulm::gateway
