#include "service/http/chunked_body.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "service/http/http_token.h"

namespace aulm::gateway {
namespace {

// Nobody who means well sends extensions or trailers; some that do no harm are read past.
constexpr size_t kLongestExtension = 256;
constexpr size_t kLongestTrailer = 4 << 10;
constexpr int kMostDigits = 16;

// What may stand in an extension or a field's value.
bool IsText(char c) { return c == '\t' || (static_cast<unsigned char>(c) >= ' ' && c != 0x7f); }

}  // namespace

ChunkedBody::Progress ChunkedBody::Break(absl::string_view fault) {
  fault_ = fault;
  return Progress::kBroken;
}

ChunkedBody::Progress ChunkedBody::Read(absl::string_view& bytes) {
  while (!bytes.empty() && state_ != State::kComplete) {
    if (state_ == State::kData) {
      const size_t taken = static_cast<size_t>(std::min<uint64_t>(size_, bytes.size()));
      body_.append(bytes.data(), taken);
      bytes.remove_prefix(taken);
      size_ -= taken;
      if (size_ == 0) state_ = State::kDataEnd;
      continue;
    }
    const char byte = bytes.front();
    bytes.remove_prefix(1);
    if (const Progress progress = ReadByte(byte); progress != Progress::kNeedMore) return progress;
  }
  return state_ == State::kComplete ? Progress::kComplete : Progress::kNeedMore;
}

ChunkedBody::Progress ChunkedBody::ReadByte(char byte) {
  switch (state_) {
    case State::kSize:
      return ReadSize(byte);
    case State::kExtension:
      if (byte == '\r') {
        state_ = State::kSizeEnd;
      } else if (!IsText(byte) || ++extension_ > kLongestExtension) {
        return Break("a chunk extension with a control character or over 256 bytes");
      }
      return Progress::kNeedMore;
    case State::kSizeEnd:
      if (byte != '\n') return Break("a chunk size that does not end in CR LF");
      state_ = size_ > 0 ? State::kData : State::kTrailer;
      return Progress::kNeedMore;
    case State::kDataEnd:
      if (byte != '\r') return Break("a chunk that is longer than its size");
      state_ = State::kDataEndLine;
      return Progress::kNeedMore;
    case State::kDataEndLine:
      if (byte != '\n') return Break("a chunk that does not end in CR LF");
      state_ = State::kSize;
      digits_ = 0;
      extension_ = 0;
      return Progress::kNeedMore;
    case State::kTrailer:
      return ReadTrailer(byte);
    case State::kTrailerEnd:
      if (byte != '\n') return Break("a trailer line that does not end in CR LF");
      return EndTrailerLine();
    case State::kData:
    case State::kComplete:
      break;
  }
  return Progress::kNeedMore;
}

ChunkedBody::Progress ChunkedBody::ReadSize(char byte) {
  if (absl::ascii_isxdigit(static_cast<unsigned char>(byte))) {
    if (++digits_ > kMostDigits) return Break("a chunk size over 16 digits");
    const int digit = absl::ascii_isdigit(static_cast<unsigned char>(byte)) ? byte - '0' : (byte | 0x20) - 'a' + 10;
    size_ = size_ * 16 + static_cast<uint64_t>(digit);
    return Progress::kNeedMore;
  }
  if (digits_ == 0 || (byte != '\r' && byte != ';')) return Break("a chunk size that is no hexadecimal number");
  if (size_ > room_) return Progress::kTooLarge;
  room_ -= size_;
  state_ = byte == '\r' ? State::kSizeEnd : State::kExtension;
  return Progress::kNeedMore;
}

ChunkedBody::Progress ChunkedBody::ReadTrailer(char byte) {
  if (byte == '\r') {
    state_ = State::kTrailerEnd;
    return Progress::kNeedMore;
  }
  if (!IsText(byte)) return Break("a control character in a trailer");
  if (++trailer_bytes_ > kLongestTrailer) return Break("a trailer over 4 KiB");
  line_.push_back(byte);
  return Progress::kNeedMore;
}

ChunkedBody::Progress ChunkedBody::EndTrailerLine() {
  if (line_.empty()) {
    state_ = State::kComplete;
    return Progress::kComplete;
  }
  const absl::string_view name = absl::string_view(line_).substr(0, line_.find(':'));
  if (name.size() == line_.size() || !IsHttpToken(name)) return Break("a trailer line that is no field");
  for (const absl::string_view framing : {"content-length", "transfer-encoding", "host"}) {
    if (absl::EqualsIgnoreCase(name, framing)) return Break("a trailer field that belongs into the header");
  }
  if (most_trailers_-- == 0) return Break("too many trailer fields");
  line_.clear();
  state_ = State::kTrailer;
  return Progress::kNeedMore;
}

}  // namespace aulm::gateway
