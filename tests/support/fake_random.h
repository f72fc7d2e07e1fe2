#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "absl/strings/str_format.h"
#include "service/base/random.h"

namespace aulm::gateway {

// Chance without chance: Uniform gives what the test set, Uuid counts up.
class FakeRandom final : public Random {
 public:
  double Uniform() override { return uniform; }
  std::string Uuid() override { return absl::StrFormat("00000000-0000-4000-8000-%012d", ++uuids_); }

  std::atomic<double> uniform{0.5};

 private:
  std::atomic<int64_t> uuids_{0};
};

}  // namespace aulm::gateway
