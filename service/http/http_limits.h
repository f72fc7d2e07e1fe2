#pragma once

#include <cstddef>

#include "absl/time/time.h"

namespace aulm::gateway {

// What an HttpServer grants its peers, so that no number of them, however slow or broken, costs it more than this.
// A limit of time that runs out closes the connection without an answer: to a client it looks like a broken network,
// which it may retry, and not like a refusal.
struct HttpLimits {
  // From accept (or from the first byte of a later request) to the end of the header; a TLS handshake counts too.
  absl::Duration header_time = absl::Seconds(5);
  // From the end of the header to the end of the body.
  absl::Duration body_time = absl::Seconds(10);
  // From the end of the body until the service has answered; then the server answers 503 in its place and closes. Also
  // between two pieces of a streamed answer; then it closes.
  absl::Duration answer_time = absl::Seconds(30);
  // For a peer to take an answer, or a piece of a streamed one.
  absl::Duration write_time = absl::Seconds(10);
  // Between two requests of one connection.
  absl::Duration idle_time = absl::Seconds(75);
  // How long the rest of a refused request is read and dropped, so that the peer sees the answer and not a reset.
  absl::Duration linger_time = absl::Seconds(2);

  // Of the request line and header together.
  size_t header_bytes = 16 << 10;
  // Header fields of a request; trailer fields apart.
  size_t header_fields = 100;
  size_t body_bytes = 1 << 20;
  // Of bodies that are not complete, over all connections.
  size_t incomplete_body_bytes = 128 << 20;
  // At the limit, a new connection takes the place of the longest idle one, else of the one that has waited longest for
  // its peer to go on with a request or to take an answer.
  size_t connections = 1024;
  // Of one address (an IPv6 address counts by its first 64 bits, which one host may choose from). At the limit, a new
  // connection takes the place of another of that address, in the same order.
  size_t connections_per_address = 512;
  // What the kernel may hold for a connection in each direction: of requests that are not read, of answers not taken.
  int receive_buffer_bytes = 256 << 10;
  int send_buffer_bytes = 64 << 10;
};

}  // namespace aulm::gateway
