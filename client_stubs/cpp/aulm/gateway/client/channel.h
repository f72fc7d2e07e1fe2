#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "grpcpp/channel.h"

// How a client reaches the gateway: one channel, set up as the gateway's contract asks. Every stub and EventFollower
// of a process can share it.
namespace aulm::gateway::client {

// What a TLS connection to the gateway needs. All PEM texts, not paths.
struct TlsOptions {
  // The certificates that may have signed the gateway's; empty: those that the system trusts.
  std::string ca_pem;
  // This client's certificate chain and its key, for mTLS. Both or neither.
  std::string certificate_pem;
  std::string key_pem;
};

struct ChannelOptions {
  // Where the gateway listens, as gRPC names targets: "host:port", "dns:///host:port", "unix:path". A name with several
  // addresses (a headless service) spreads calls over them.
  std::string target = "127.0.0.1:50051";
  // Absent: plaintext, for loopback or where a mesh does the encryption.
  std::optional<TlsOptions> tls;
  // The caller's token, sent as `authorization: Bearer …`; none where null or when it returns an empty string. Asked
  // once a call, on any thread, so that a token that changes can be read anew; must be quick. A call whose token is not
  // printable ASCII without spaces is not made: UNAUTHENTICATED.
  std::function<std::string()> bearer_token;
  // A connection with calls is pinged after this much silence, and given up 10 s later. At least 20 s: a server takes
  // more frequent pings for an attack.
  absl::Duration keepalive = absl::Seconds(30);
  // Goes before gRPC's own User-Agent: the application's name.
  std::string user_agent;
};

// The most that one message may hold, in either direction: the gateway's own limit.
inline constexpr int kMaxMessageBytes = 8 << 20;

// The service config that OpenChannel gives to gRPC: UNAVAILABLE reads (every Get, List and ReadEvents) are repeated
// up to three times within their deadline, sends never, since their outcome may be unknown. Public for clients that set
// up channels of their own.
extern const char kServiceConfigJson[];

// A channel for `options`. Does not connect: the first call does. INVALID_ARGUMENT naming the option that is wrong.
absl::StatusOr<std::shared_ptr<grpc::Channel>> OpenChannel(const ChannelOptions& options);

}  // namespace aulm::gateway::client
