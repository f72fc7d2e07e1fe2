#pragma once

#include "aulm/gateway/config/v1/gateway_config.pb.h"
#include "service/config/environment.h"
#include "service/config/problems.h"
#include "service/config/secret_file.h"
#include "service/config/settings.h"

namespace aulm::gateway {

// The settings that `config` and the environment, which wins, come to: defaults filled in, every value checked. The
// result is whole only if no problem was added. Reads the files that are named there with `read_file`.
Settings MakeSettings(const config::v1::GatewayConfig& config, const Environment& environment,
                      const SecretFileReader& read_file, Problems& problems);

}  // namespace aulm::gateway
