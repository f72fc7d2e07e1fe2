#include "service/config/spelling.h"

#include <algorithm>
#include <cstddef>

#include "absl/strings/match.h"

namespace aulm::gateway {
namespace {

constexpr size_t kLongestName = 64;
constexpr size_t kMostSlips = 2;
constexpr size_t kLettersForASlip = 3;  // or every short word would be near another

// Additions, omissions, changes and swaps of neighbours that lead from `a` to `b`.
size_t Slips(absl::string_view a, absl::string_view b) {
  std::vector<std::vector<size_t>> cost(a.size() + 1, std::vector<size_t>(b.size() + 1));
  for (size_t i = 0; i <= a.size(); ++i) {
    for (size_t j = 0; j <= b.size(); ++j) {
      if (i == 0 || j == 0) {
        cost[i][j] = i + j;
        continue;
      }
      cost[i][j] = std::min({cost[i - 1][j] + 1, cost[i][j - 1] + 1, cost[i - 1][j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        cost[i][j] = std::min(cost[i][j], cost[i - 2][j - 2] + 1);
      }
    }
  }
  return cost[a.size()][b.size()];
}

}  // namespace

absl::string_view ClosestName(absl::string_view written, const std::vector<absl::string_view>& known) {
  if (written.size() < 3 || written.size() > kLongestName) return {};
  absl::string_view closest;
  const size_t most = std::min(kMostSlips, written.size() / kLettersForASlip);
  size_t fewest = most + 1;
  for (const absl::string_view name : known) {
    const size_t slips = absl::StartsWith(name, written) ? most : Slips(written, name);
    if (slips < fewest) {
      fewest = slips;
      closest = name;
    }
  }
  return closest;
}

}  // namespace aulm::gateway
