#pragma once

#include "aulm/gateway/config/v1/gateway_config.pb.h"
#include "service/config/pace.h"
#include "service/config/problems.h"

namespace aulm::gateway {

// The paces that the configuration's `pacing` asks for, over the defaults; what is wrong with it goes into `problems`.
Paces MakePaces(const config::v1::Pacing& pacing, Problems& problems);

}  // namespace aulm::gateway
