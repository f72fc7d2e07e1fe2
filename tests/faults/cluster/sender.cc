#include "tests/faults/cluster/sender.h"

#include <gmock/gmock.h>

#include <cstdlib>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "tests/support/webhook_client.h"

namespace aulm::gateway {
namespace {

constexpr char kSession[] = "0c4f7b5e-9f5c-4c87-a5a2-0d6d1f1a2b3c";
constexpr size_t kNumberAt = 24;  // in an id
constexpr int kOldOnes = 10;

}  // namespace

void Sender::Run(const std::atomic<bool>& stop) {
  // A gateway that starts again does so on other ports.
  std::map<std::string, WebhookClient> clients;
  for (int i = 0; !stop; ++i) {
    const std::string id = absl::StrFormat("%08x-0000-4000-8000-%012d", number_, i);
    const std::string peer = absl::StrFormat("+9665%04d%04d", number_, i % kPeers);
    const absl::Time received = absl::Now() - (i % kOldOnes == 0 ? absl::Hours(100) : absl::ZeroDuration());
    const std::string body = InboundMessageBody(
        id, kSession, peer, "hi", absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", received, absl::UTCTimeZone()));
    for (size_t at = home_; !stop; at = (at + 1) % Fleet::kSize) {
      const std::string address = fleet_.webhook_address(at);
      auto client = clients.find(address);
      if (client == clients.end()) {
        client = clients.try_emplace(address, address, fleet_.webhook_secret(), kPatience).first;
      }
      const absl::StatusOr<int> answer = client->second.Post("inbound_message", id, body);
      if (!answer.ok()) continue;
      ASSERT_THAT(*answer, testing::AnyOf(200, 503, 429));
      if (*answer != 200) {
        ++counts_.at(at).refused;
        continue;
      }
      ++counts_.at(at).acknowledged;
      ids_.push_back(id);
      break;
    }
  }
}

std::string Sender::Before(const std::string& id) {
  const int number = std::atoi(id.substr(kNumberAt).c_str());
  return number < kPeers ? "" : absl::StrCat(id.substr(0, kNumberAt), absl::StrFormat("%012d", number - kPeers));
}

}  // namespace aulm::gateway
