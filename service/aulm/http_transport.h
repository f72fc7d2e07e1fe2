#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace aulm::gateway {

// A request to aulm.
struct HttpRequest {
  std::string method;  // "GET" or "POST"
  std::string url;     // absolute; https, or http to a loopback address
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;  // sent when the method is POST
  // When the caller must have an answer, the margin already taken off.
  absl::Time deadline = absl::InfiniteFuture();
  // For sends: once the first byte of the body was handed to the socket, neither the deadline nor Cancel ends the
  // exchange (that would make a doubt where there is an answer): it is detached and goes on for `settle_limit`.
  // For reads, false: the deadline and Cancel end it at any time.
  bool finish_once_written = false;
  absl::Duration settle_limit = absl::Seconds(60);
};

// aulm answered; any HTTP status is an answer.
struct HttpResponse {
  int status = 0;
  std::vector<std::pair<std::string, std::string>> headers;  // names in lower case, in the order received
  std::string body;                                          // at most 1 MiB

  // The first header of that (lower-case) name, or empty.
  absl::string_view Header(absl::string_view name) const;
};

// No answer came.
struct HttpFailure {
  enum class Reason {
    kConnect,   // no connection: name, TCP, TLS
    kDeadline,  // the deadline passed (or, after detaching, the settle limit)
    kCanceled,  // Cancel
    kBroken,    // the connection broke, or the answer was no HTTP or over 1 MiB
    kStopped,   // the transport is stopping
  };
  Reason reason = Reason::kBroken;
  // False: no byte of the body was handed to the socket, so aulm cannot have acted on it. True: nobody can know.
  bool written = false;
  std::string message;  // for logs: what failed, without headers and bodies
};

using HttpResult = std::variant<HttpResponse, HttpFailure>;

// Receives one exchange's course. Called on the transport's thread, never under a lock; must not block.
class HttpExchange {
 public:
  virtual ~HttpExchange() = default;

  // At most once, before OnDone: the deadline passed (kDeadline) or Cancel came (kCanceled) when the request of a send
  // was already written. The caller must be answered now (outcome unknown so far); OnDone still brings what became of
  // it.
  virtual void OnDetached(HttpFailure::Reason why) = 0;

  // Exactly once, last; the transport then drops its reference.
  virtual void OnDone(HttpResult result) = 0;
};

// The seam between the gateway and the bytes to and from aulm: CurlTransport in the service, FakeHttpTransport in
// tests. Thread-safe; never blocks.
class HttpTransport {
 public:
  using ExchangeId = uint64_t;

  virtual ~HttpTransport() = default;

  // Begins the exchange. Its callbacks may come before Start returns.
  virtual ExchangeId Start(HttpRequest request, std::shared_ptr<HttpExchange> exchange) = 0;

  // The caller has gone away: ends the exchange where that makes no doubt, detaches it otherwise. Of an exchange that
  // is done, does nothing.
  virtual void Cancel(ExchangeId exchange) = 0;
};

}  // namespace aulm::gateway
