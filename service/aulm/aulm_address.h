#pragma once

#include "service/aulm/call_gate.h"
#include "service/aulm/reachability_breaker.h"

namespace aulm::gateway {

// What the accounts of one base URL have in common: make one object a base URL and give it to each account's
// AulmClient.
struct AulmAddress {
  AddressCooldown cooldown;
  ReachabilityBreaker breaker;
};

}  // namespace aulm::gateway
