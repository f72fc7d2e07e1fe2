#pragma once

namespace aulm::gateway {

// From now on what gRPC and protobuf log by themselves is lines of the log, event "library", instead of text of their
// own on standard error. gRPC's errors are warnings there, since a stranger's broken handshake is one; what protobuf
// says of a message that it cannot read is for debugging, since its sender is told. Of what a stranger can cause
// without end at most ten lines a second are written; the next one says how many were left out. What ends the process
// at once still goes out as text. gRPC's own GRPC_VERBOSITY and GRPC_TRACE say how much there is. Once, before the
// first call.
//
// Later releases of both log through Abseil, which writes to standard error unless told otherwise.
void RouteLibraryLogs();

}  // namespace aulm::gateway
