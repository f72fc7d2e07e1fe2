#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "tests/integration/aulm/scripted_server.h"

namespace aulm::gateway {

// The server's side of HTTP/2 (RFC 9113), as far as a test of a client needs it: whole requests in, answers, resets and
// GOAWAY out. Does not decode headers.
class Http2Connection {
 public:
  static constexpr uint32_t kRefusedStream = 7;

  explicit Http2Connection(ScriptedServer::Connection& connection) : connection_(connection) {}

  // Reads the preface and sends our settings. False when the client is gone or speaks something else.
  bool Begin();

  struct Request {
    uint32_t stream;
    std::string body;
  };
  // The next request that is whole; settings and pings are answered on the way. nullopt when the client is gone.
  std::optional<Request> ReadRequest();

  void Answer(uint32_t stream, int status, absl::string_view body);
  void Reset(uint32_t stream, uint32_t error);
  void GoAway(uint32_t last_stream);

 private:
  void WriteFrame(uint8_t type, uint8_t flags, uint32_t stream, absl::string_view payload);

  ScriptedServer::Connection& connection_;
  std::map<uint32_t, std::string> bodies_;  // of requests that are not whole
};

}  // namespace aulm::gateway
