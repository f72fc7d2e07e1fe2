#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "service/http/served_request.h"

namespace aulm::gateway {

class Reply;

// Where an answer comes from that goes on for as long as its peer listens. The server asks for a piece when the peer
// has taken the one before: a slow peer slows its source, and nothing heaps up. Destroyed when the answer has ended, in
// whatever way.
class ReplySource {
 public:
  virtual ~ReplySource() = default;

  // Sends the next piece as the body of `next`, before this returns or within HttpLimits::answer_time, from any thread.
  // The answer ends with an empty one, one with `close`, or another status than 200. On the server's thread; must not
  // block.
  virtual void Next(Reply next) = 0;
};

// An answer. The server adds content-length, date and connection.
struct ServedReply {
  int status = 200;
  absl::string_view content_type;  // of static storage; empty: no such field
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  bool close = false;  // true: the connection ends after this answer
  // Set: `body` is the first piece, and the source has the others. Without a content-length: the connection's end ends
  // the answer.
  std::shared_ptr<ReplySource> source = nullptr;
};

// Takes replies; what stands behind a Reply. Implemented by the server's connections, and by tests.
class ReplyTarget {
 public:
  virtual ~ReplyTarget() = default;

  // Brings the reply to the request of that ticket; ignored when that request has gone. Thread-safe, never blocks.
  virtual void Deliver(uint64_t ticket, ServedReply reply) = 0;
};

// The right to answer one request, once, from any thread and at any time, also after the connection or the whole server
// has gone. One that is destroyed unused answers 503, so that no request is ever forgotten. Movable.
class Reply {
 public:
  Reply(std::shared_ptr<ReplyTarget> target, uint64_t ticket) : target_(std::move(target)), ticket_(ticket) {}
  Reply(Reply&&) = default;
  Reply& operator=(Reply&&) = delete;
  ~Reply();

  void Send(ServedReply reply) &&;

 private:
  std::shared_ptr<ReplyTarget> target_;
  uint64_t ticket_;
};

// Why a server ended a request or a connection by itself.
enum class HttpRefusal {
  kBrokenFraming,   // 400
  kHeaderTooLarge,  // 431
  kBodyTooLarge,    // 413
  kBadExpectation,  // 417
  kUnfinished,      // the peer went away in the middle of a request
  kHeaderTime,      // closed without an answer, as are all that follow
  kBodyTime,
  kWriteTime,
  kDisplaced,        // gave way to a newer connection
  kConnectionLimit,  // a new connection for which nobody could give way
  kAddressLimit,     // the same, among those of its address
  kAnswerTime,       // 503: the service did not answer in time
  kHandshake,        // TLS failed
};

inline constexpr size_t kHttpRefusals = static_cast<size_t>(HttpRefusal::kHandshake) + 1;

// The refusal as a word for logs and metrics, such as "broken_framing".
absl::string_view HttpRefusalName(HttpRefusal refusal);

// What an HttpServer serves. Every method is called on one of the server's threads (two requests may be handled at the
// same time when it has two) and must not block. Must outlive the server.
class HttpService {
 public:
  virtual ~HttpService() = default;

  // Looks at a request whose body has not been read yet (method, path and headers are there). A reply refuses it before
  // its body costs anything; nullopt lets it come.
  virtual std::optional<ServedReply> Admit(const ServedRequest& request) {
    static_cast<void>(request);
    return std::nullopt;
  }

  // Handles a complete request. `request` and its views end when this returns; its body may be moved away. `reply` may
  // be used before this returns or later.
  virtual void Handle(ServedRequest& request, Reply reply) = 0;

  // The server refused a request or connection by itself. `detail` says more in static words, never in the peer's.
  virtual void OnRefused(HttpRefusal refusal, absl::string_view remote_address, absl::string_view detail) {
    static_cast<void>(refusal);
    static_cast<void>(remote_address);
    static_cast<void>(detail);
  }

  // `change` connections more (or fewer) are open.
  virtual void OnConnections(int change) { static_cast<void>(change); }
};

}  // namespace aulm::gateway
