#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "service/config/settings.h"

namespace aulm::gateway {

// The gateway put together: the only place that names the concrete classes, and the order in which they start and stop.
class App {
 public:
  // Starts everything; ready when it returns. Blocks. The error says what cannot be had and what to do.
  static absl::StatusOr<std::unique_ptr<App>> Start(const Settings& settings);

  // Stops when Stop was not called.
  ~App();

  App(const App&) = delete;
  App& operator=(const App&) = delete;

  // Where each listener is, with the port that was bound: "127.0.0.1:41234".
  const std::string& grpc_address() const;
  const std::string& webhook_address() const;
  const std::string& admin_address() const;

  // Readiness and health say from now on that the gateway is going; nothing else changes.
  void AnnounceStop();

  // Readiness off, webhooks answered 429, what waits made durable, a Drain frame to every stream, unary calls finished;
  // then gRPC, aulm, the store. Blocks for at most 25 s; should anything hang longer, the process ends all the same:
  // whatever was answered is durable by then.
  void Stop();

 private:
  class Parts;

  explicit App(std::unique_ptr<Parts> parts);

  std::unique_ptr<Parts> parts_;
  bool stopped_ = false;
};

// Reads the whole store that the settings name and says whether it is sound. Blocks, for as long as the store is large.
absl::Status CheckStore(const Settings& settings);

// Copies the store `from` to `to`, both URLs, with what the settings say of stores besides, and tells of it on stdout.
// Blocks, for as long as the store is large. Errors: those of aulm::gateway::CopyStore in storage/store.h.
absl::Status CopyStore(const Settings& settings, const std::string& from, const std::string& to);

}  // namespace aulm::gateway
