#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace aulm::simulator {

// One request as it came in, whole. Every view is valid for the duration of HttpApplication::Answer alone.
struct HttpRequest {
  absl::string_view method;
  absl::string_view target;  // path and query, as sent
  absl::string_view path;
  absl::string_view query;  // without the question mark
  std::vector<std::pair<absl::string_view, absl::string_view>> headers;
  absl::string_view body;
  uint64_t connection_id = 0;  // from 1, one per accepted connection
  absl::string_view remote_address;
  int64_t arrived_us = 0;  // CLOCK_MONOTONIC, when the last byte had been read

  // The first header of that name (any case), or null when there is none.
  const absl::string_view* FindHeader(absl::string_view name) const;

  // The value of `name` in the query, empty when absent. Not percent-decoded: the control API's values need none.
  absl::string_view QueryValue(absl::string_view name) const;
};

// What goes back, and how: late, in half or not at all.
struct HttpAnswer {
  enum class Ending {
    kWhole,       // written whole; the connection stays open where HTTP allows it
    kHalf,        // half of the bytes are written, then the connection closes
    kUnanswered,  // the connection closes without a byte
  };

  int status = 200;
  std::vector<std::pair<std::string, std::string>> headers;  // content-length is added where none is given
  std::string body;
  std::string raw;  // when not empty: these bytes instead of status, headers and body; the connection then closes
  absl::Duration delay;
  Ending ending = Ending::kWhole;
  bool reset = false;  // a connection that closes does so by RST, not by FIN

  // The bytes on the wire. `close` adds `connection: close`.
  std::string Serialize(bool close) const;
};

// `{"error": …}`-style JSON answer with its content type.
HttpAnswer JsonAnswer(int status, std::string body);

// What the server serves. Called on the server's one thread; must not block.
class HttpApplication {
 public:
  virtual ~HttpApplication() = default;

  virtual HttpAnswer Answer(const HttpRequest& request) = 0;

  // Asked when a request's header has arrived and its body is not read yet: true resets the connection.
  virtual bool DropUnread(absl::string_view /*method*/, absl::string_view /*target*/) { return false; }
};

}  // namespace aulm::simulator
