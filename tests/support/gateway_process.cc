#include "tests/support/gateway_process.h"

#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace aulm::gateway {
namespace {

constexpr absl::Duration kReadyLimit = absl::Seconds(30);

}  // namespace

absl::StatusOr<GatewayProcess> GatewayProcess::Start(const Options& options) {
  std::map<std::string, std::string> environment = {
      {"AULM_BASE_URL", options.aulm_base_url},
      {"AULM_API_KEY", options.api_key},
      {"AULM_WEBHOOK_SECRET", options.webhook_secret},
      {"GATEWAY_GRPC_LISTEN", "127.0.0.1:0"},
      {"GATEWAY_WEBHOOK_LISTEN", "127.0.0.1:0"},
      {"GATEWAY_ADMIN_LISTEN", "127.0.0.1:0"},
      {"GATEWAY_STORE", absl::StrCat("sqlite://", options.folder, "/store")},
  };
  for (const auto& [name, value] : options.environment) {
    if (value.empty()) {
      environment.erase(name);
    } else {
      environment[name] = value;
    }
  }
  auto child =
      ChildProcess::Start({BinaryPath("aulm-gateway")}, environment, absl::StrCat(options.folder, "/gateway.log"));
  if (!child.ok()) return child.status();
  GatewayProcess gateway(*std::move(child));
  while (gateway.grpc_.empty() || gateway.webhook_.empty() || gateway.admin_.empty()) {
    auto line = gateway.process_.ReadLine(kReadyLimit);
    if (!line.ok()) {
      return absl::UnavailableError(absl::StrCat("the gateway did not get ready: ", line.status().message(), "; see ",
                                                 options.folder, "/gateway.log"));
    }
    const std::vector<std::string> words = absl::StrSplit(*line, ' ');
    if (words.size() != 3 || words[0] != "listening") continue;
    if (words[1] == "grpc") gateway.grpc_ = words[2];
    if (words[1] == "webhook") gateway.webhook_ = words[2];
    if (words[1] == "admin") gateway.admin_ = words[2];
  }
  return gateway;
}

}  // namespace aulm::gateway
