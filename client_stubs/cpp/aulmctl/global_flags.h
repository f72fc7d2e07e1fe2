#pragma once

#include <memory>
#include <string>

#include "CLI/CLI.hpp"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "aulm/gateway/client/gateway_client.h"

namespace aulm::gateway::ctl {

// The flags that every command takes: where the gateway is, how to reach it, how to print.
struct GlobalFlags {
  std::string gateway = "127.0.0.1:50051";
  std::string token_file;
  bool tls = false;
  std::string tls_ca;
  std::string tls_cert;
  std::string tls_key;
  std::string timeout = "30s";
  bool json = false;

  // States the flags to the parser.
  void AddTo(CLI::App& app);

  // A client as the flags say; reads the files that they name. INVALID_ARGUMENT with a sentence for people when one
  // cannot be read or the flags do not fit together. gRPC has threads from here on, to the end of the process.
  absl::StatusOr<client::GatewayClient> OpenClient() const;

  // The longest time for a call. The parser has checked --timeout.
  absl::Duration Timeout() const;
};

// The whole of a file of at most `most_bytes`. INVALID_ARGUMENT naming the file and why it cannot be had.
absl::StatusOr<std::string> ReadWholeFile(const std::string& path, size_t most_bytes);

}  // namespace aulm::gateway::ctl
