#include "tests/faults/cluster/fleet.h"

#include <csignal>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"

namespace aulm::gateway {

absl::Status Fleet::Start(size_t index) {
  GatewayProcess::Options options;
  options.folder = absl::StrCat(folder_, "/gateway-", index);
  std::filesystem::create_directories(options.folder);
  options.webhook_secret = webhook_secret_;
  options.environment["GATEWAY_STORE"] = store_;
  auto gateway = GatewayProcess::Start(options);
  if (!gateway.ok()) return gateway.status();
  gateways_.at(index) = *std::move(gateway);
  absl::MutexLock lock(&mutex_);
  addresses_.at(index).grpc = gateways_.at(index)->grpc_address();
  addresses_.at(index).webhook = gateways_.at(index)->webhook_address();
  return absl::OkStatus();
}

void Fleet::Kill(size_t index) {
  Disturb(index);
  gateways_.at(index)->process().Signal(SIGKILL);
  gateways_.at(index)->process().Wait(absl::Seconds(10)).IgnoreError();
}

absl::StatusOr<int> Fleet::Terminate(size_t index) {
  Disturb(index);
  gateways_.at(index)->process().Signal(SIGTERM);
  return gateways_.at(index)->process().Wait(absl::Minutes(1));
}

void Fleet::Stop(size_t index) {
  Disturb(index);
  gateways_.at(index)->process().Signal(SIGSTOP);
}

void Fleet::Wake(size_t index) {
  Disturb(index);
  gateways_.at(index)->process().Signal(SIGCONT);
}

bool Fleet::HasEnded(size_t index) { return gateways_.at(index)->process().Wait(absl::ZeroDuration()).ok(); }

std::string Fleet::grpc_address(size_t index) const {
  absl::MutexLock lock(&mutex_);
  return addresses_.at(index).grpc;
}

std::string Fleet::webhook_address(size_t index) const {
  absl::MutexLock lock(&mutex_);
  return addresses_.at(index).webhook;
}

int Fleet::disturbances(size_t index) const {
  absl::MutexLock lock(&mutex_);
  return addresses_.at(index).disturbances;
}

void Fleet::Disturb(size_t index) {
  absl::MutexLock lock(&mutex_);
  ++addresses_.at(index).disturbances;
}

}  // namespace aulm::gateway
