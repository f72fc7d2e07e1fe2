#pragma once

#include "absl/status/status.h"
#include "grpcpp/server_context.h"
#include "grpcpp/support/status.h"

namespace aulm::gateway {

// The one way from our statuses to gRPC's. The code and the message stay; each payload of `status` becomes one detail
// of a google.rpc.Status in grpc-status-details-bin: ErrorInfo first, the others in the order of their type names, so
// that equal errors have equal bytes.
grpc::Status ToGrpcStatus(const absl::Status& status);

// Puts on trailing metadata what clients without a details decoder need: x-request-id and x-ratelimit-* as aulm sent
// them, and grpc-retry-pushback-ms (-1 where a client library must not repeat the call by itself). Call it before
// Finish.
void AddErrorTrailers(const absl::Status& status, grpc::ServerContextBase& context);

}  // namespace aulm::gateway
