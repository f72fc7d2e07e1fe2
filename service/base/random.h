#pragma once

#include <cstddef>
#include <string>

namespace aulm::gateway {

// The seam for chance: jitter and fresh ids. SystemRandom in the service; FakeRandom in tests. Thread-safe.
class Random {
 public:
  virtual ~Random() = default;

  // Uniform in [0, 1). Not for secrets.
  virtual double Uniform() = 0;

  // A random UUID (version 4, lower case) that nobody can guess.
  virtual std::string Uuid() = 0;
};

}  // namespace aulm::gateway
