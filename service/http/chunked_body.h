#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace aulm::gateway {

// Joins the chunks of one body. Our own and not Beast's, whose chunk parser waits for more where it should refuse, and
// whose assertions a body that comes byte by byte can trip. Extensions and trailers are checked and dropped.
class ChunkedBody {
 public:
  enum class Progress { kNeedMore, kComplete, kBroken, kTooLarge };

  // The body is appended to `body`, which must outlive this, up to `most_bytes`; at most `most_trailers` trailer
  // fields.
  ChunkedBody(std::string& body, size_t most_bytes, size_t most_trailers)
      : body_(body), room_(most_bytes), most_trailers_(most_trailers) {}

  // Reads the front of `bytes` and takes off what it read: all of it, unless the body ends within.
  Progress Read(absl::string_view& bytes);

  // After kBroken: what was wrong.
  absl::string_view fault() const { return fault_; }

 private:
  enum class State { kSize, kExtension, kSizeEnd, kData, kDataEnd, kDataEndLine, kTrailer, kTrailerEnd, kComplete };

  Progress Break(absl::string_view fault);
  Progress ReadByte(char byte);
  Progress ReadSize(char byte);
  Progress ReadTrailer(char byte);
  Progress EndTrailerLine();

  std::string& body_;
  size_t room_;
  size_t most_trailers_;
  State state_ = State::kSize;
  uint64_t size_ = 0;     // of the present chunk: what is left of it
  int digits_ = 0;        // of its size
  size_t extension_ = 0;  // its bytes so far
  size_t trailer_bytes_ = 0;
  std::string line_;  // of the trailer
  absl::string_view fault_;
};

}  // namespace aulm::gateway
