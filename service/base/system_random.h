#pragma once

#include <string>

#include "service/base/random.h"

namespace aulm::gateway {

// Chance from OpenSSL's generator (ids) and from Abseil's (jitter).
class SystemRandom final : public Random {
 public:
  double Uniform() override;
  std::string Uuid() override;
};

}  // namespace aulm::gateway
