#pragma once

#include <cstddef>
#include <memory>
#include <optional>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "service/http/chunked_body.h"
#include "service/http/http_limits.h"
#include "service/http/http_service.h"
#include "service/http/served_request.h"

namespace aulm::gateway {

// Reads the requests of one connection from its bytes, one after the other, in a buffer that it keeps. Beast's parser
// knows the grammar of the header; what it forgives (folded lines, lists of lengths, several transfer codings, empty or
// doubled hosts) is refused here, since a proxy in front of us might read it differently. Not thread-safe, no I/O.
class RequestReader {
 public:
  enum class Progress {
    kNeedMore,  // read into Space() and call Received
    kHeader,    // once a request, after its header: request() has everything but the body
    kComplete,  // request() is whole; Next() before anything else
    kRefused,   // refusal() and detail() say why; nothing more can be read from this connection
  };

  // `limits` must outlive the reader.
  explicit RequestReader(const HttpLimits& limits);
  ~RequestReader();

  RequestReader(const RequestReader&) = delete;
  RequestReader& operator=(const RequestReader&) = delete;

  // Where the next bytes go; never empty after kNeedMore. Ends with any other call.
  absl::Span<char> Space();

  // `bytes` were written at the front of Space().
  void Received(size_t bytes);

  // Reads on in what was received.
  Progress Advance();

  // True once a byte of the next request is there.
  bool started() const { return state_ != State::kHeader || begin_ < end_; }

  // True when the request asks for "100 Continue" and nothing of its body has come. After kHeader.
  bool wants_continue() const {
    return expects_continue_ && body_missing() && end_ == begin_ + header_size_ && body_filled_ == 0;
  }

  // True when the request has a body that is still to come. After kHeader.
  bool body_missing() const { return state_ != State::kComplete; }

  // Whether the connection may serve another request after this one. After kHeader.
  bool keep_alive() const { return keep_alive_; }

  // True for HTTP/1.0. After kHeader.
  bool is_http_1_0() const { return http_1_0_; }

  // Bytes held of a body that is not complete.
  size_t incomplete_body_bytes() const;

  ServedRequest& request() { return request_; }
  HttpRefusal refusal() const { return refusal_; }
  absl::string_view detail() const { return detail_; }

  // Drops the request; the bytes after it are the next one's.
  void Next();

 private:
  enum class State { kHeader, kSizedBody, kChunkedBody, kComplete, kRefused };

  Progress Refuse(HttpRefusal refusal, absl::string_view detail);
  Progress ReadHeader();
  Progress ParseHeader();
  Progress ReadSizedBody();
  Progress ReadChunkedBody();
  // Makes room for at least `bytes` after end_. Moves what is held: no views may be in use.
  void MakeRoom(size_t bytes);

  const HttpLimits& limits_;
  ServedRequest request_;
  std::optional<ChunkedBody> chunks_;  // of a chunked body
  State state_ = State::kHeader;
  bool expects_continue_ = false;
  bool keep_alive_ = false;
  bool http_1_0_ = false;
  bool skipped_empty_line_ = false;
  HttpRefusal refusal_ = HttpRefusal::kBrokenFraming;
  absl::string_view detail_;

  std::unique_ptr<char[]> buffer_;
  size_t capacity_;
  size_t begin_ = 0;        // of the request
  size_t end_ = 0;          // of what was received
  size_t scanned_ = 0;      // from begin_: how far line ends were looked for
  size_t line_ = 0;         // from begin_: where the present line starts
  size_t header_size_ = 0;  // from begin_: with the empty line, and what was read of the body behind it
  size_t body_size_ = 0;    // of a sized body
  size_t body_filled_ = 0;  // of a sized body: what has come
};

}  // namespace aulm::gateway
