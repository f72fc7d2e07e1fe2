#include "service/http/request_reader.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/match.h"
#include "service/http/http_token.h"
#include "service/http/request_grammar.h"

namespace aulm::gateway {
namespace {

constexpr size_t kFirstCapacity = 4 << 10;
constexpr size_t kLeastSpace = 1 << 10;
// Beyond the header, at least so much of the buffer is there for chunks on their way into the body.
constexpr size_t kChunkSpace = 2 << 10;
constexpr size_t kBodyStep = 16 << 10;
constexpr size_t kMostHeadersKept = 64;

}  // namespace

RequestReader::RequestReader(const HttpLimits& limits)
    : limits_(limits), buffer_(new char[kFirstCapacity]), capacity_(kFirstCapacity) {}

RequestReader::~RequestReader() = default;

void RequestReader::MakeRoom(size_t bytes) {
  if (capacity_ - end_ >= bytes) return;
  const size_t held = end_ - begin_;
  size_t capacity = capacity_;
  while (capacity - held < bytes) capacity *= 2;
  if (capacity == capacity_) {
    std::memmove(buffer_.get(), buffer_.get() + begin_, held);
  } else {
    std::unique_ptr<char[]> larger(new char[capacity]);
    std::memcpy(larger.get(), buffer_.get() + begin_, held);
    buffer_ = std::move(larger);
    capacity_ = capacity;
  }
  begin_ = 0;
  end_ = held;
}

absl::Span<char> RequestReader::Space() {
  if (state_ == State::kSizedBody) {
    // Straight into the body, which grows as bytes come: a length alone reserves nothing.
    if (body_filled_ == request_.body.size()) {
      const size_t step = std::max(kBodyStep, body_filled_);
      request_.body.resize(std::min(body_size_, body_filled_ + step));
    }
    return {request_.body.data() + body_filled_, request_.body.size() - body_filled_};
  }
  if (state_ == State::kHeader) MakeRoom(kLeastSpace);
  return {buffer_.get() + end_, capacity_ - end_};
}

void RequestReader::Received(size_t bytes) {
  if (state_ == State::kSizedBody) {
    body_filled_ += bytes;
  } else {
    end_ += bytes;
  }
}

size_t RequestReader::incomplete_body_bytes() const {
  return state_ == State::kSizedBody || state_ == State::kChunkedBody ? request_.body.size() : 0;
}

RequestReader::Progress RequestReader::Refuse(HttpRefusal refusal, absl::string_view detail) {
  state_ = State::kRefused;
  refusal_ = refusal;
  detail_ = detail;
  return Progress::kRefused;
}

RequestReader::Progress RequestReader::Advance() {
  switch (state_) {
    case State::kHeader:
      return ReadHeader();
    case State::kSizedBody:
      return ReadSizedBody();
    case State::kChunkedBody:
      return ReadChunkedBody();
    case State::kComplete:
      return Progress::kComplete;
    case State::kRefused:
      return Progress::kRefused;
  }
  return Progress::kRefused;
}

// Looks for the end of the header line by line, so that what is wrong with its lines is refused as soon as it comes and
// not when a time runs out.
RequestReader::Progress RequestReader::ReadHeader() {
  while (true) {
    const absl::string_view held(buffer_.get() + begin_, end_ - begin_);
    if (line_ < held.size()) {
      const char first = held[line_];
      if (line_ == 0 && first != '\r' && !IsHttpTokenByte(first)) {
        return Refuse(HttpRefusal::kBrokenFraming, "no request line");
      }
      if (first == ' ' || first == '\t') return Refuse(HttpRefusal::kBrokenFraming, "a folded header line");
    }
    const size_t end = held.find('\n', scanned_);
    if (end == absl::string_view::npos) {
      scanned_ = held.size();
      if (held.size() > limits_.header_bytes) return Refuse(HttpRefusal::kHeaderTooLarge, "the header");
      return Progress::kNeedMore;
    }
    if (end == 0 || held[end - 1] != '\r') {
      return Refuse(HttpRefusal::kBrokenFraming, "a line that does not end in CR LF");
    }
    const absl::string_view line = held.substr(line_, end - 1 - line_);
    if (line_ == 0 && line.empty()) {
      // One empty line before a request is forgiven, as RFC 9112 asks: some clients end a body with it.
      if (skipped_empty_line_) return Refuse(HttpRefusal::kBrokenFraming, "empty lines before the request line");
      skipped_empty_line_ = true;
      begin_ += 2;
      scanned_ = 0;
      continue;
    }
    if (line_ == 0 && !absl::EndsWith(line, " HTTP/1.1") && !absl::EndsWith(line, " HTTP/1.0")) {
      return Refuse(HttpRefusal::kBrokenFraming, "a request line of another version");
    }
    scanned_ = line_ = end + 1;
    if (line_ > limits_.header_bytes) return Refuse(HttpRefusal::kHeaderTooLarge, "the header");
    if (!line.empty()) continue;
    header_size_ = line_;
    return ParseHeader();
  }
}

RequestReader::Progress RequestReader::ParseHeader() {
  // From here on views point into the buffer, so whatever the body needs of it is made free before.
  MakeRoom(kChunkSpace);
  RequestGrammar grammar(request_, limits_.header_fields, limits_.header_bytes);
  boost::beast::error_code error;
  const size_t taken = grammar.put(boost::asio::const_buffer(buffer_.get() + begin_, header_size_), error);
  if (error) {
    if (grammar.too_many_fields()) return Refuse(HttpRefusal::kHeaderTooLarge, grammar.fault());
    if (grammar.unknown_expectation()) return Refuse(HttpRefusal::kBadExpectation, grammar.fault());
    return Refuse(HttpRefusal::kBrokenFraming, grammar.fault().empty() ? "the header" : grammar.fault());
  }
  if (taken != header_size_ || !grammar.is_header_done()) return Refuse(HttpRefusal::kBrokenFraming, "the header");
  if (grammar.body_size() > limits_.body_bytes) return Refuse(HttpRefusal::kBodyTooLarge, "content-length");

  keep_alive_ = grammar.keep_alive();
  http_1_0_ = grammar.http_1_0();
  expects_continue_ = grammar.expects_continue();
  if (grammar.is_chunked()) {
    state_ = State::kChunkedBody;
    chunks_.emplace(request_.body, limits_.body_bytes, limits_.header_fields);
  } else if (grammar.body_size() > 0) {
    state_ = State::kSizedBody;
    body_size_ = grammar.body_size();
    body_filled_ = std::min(body_size_, end_ - begin_ - header_size_);
    request_.body.assign(buffer_.get() + begin_ + header_size_, body_filled_);
    header_size_ += body_filled_;
    if (body_filled_ == body_size_) state_ = State::kComplete;
  } else {
    state_ = State::kComplete;
  }
  return Progress::kHeader;
}

RequestReader::Progress RequestReader::ReadSizedBody() {
  if (body_filled_ < body_size_) return Progress::kNeedMore;
  state_ = State::kComplete;
  return Progress::kComplete;
}

RequestReader::Progress RequestReader::ReadChunkedBody() {
  absl::string_view unread(buffer_.get() + begin_ + header_size_, end_ - begin_ - header_size_);
  const size_t size = unread.size();
  const ChunkedBody::Progress progress = chunks_->Read(unread);
  switch (progress) {
    case ChunkedBody::Progress::kNeedMore:
      // The header stays where its views point, and the next bytes come right behind it again.
      end_ = begin_ + header_size_;
      return Progress::kNeedMore;
    case ChunkedBody::Progress::kComplete:
      header_size_ += size - unread.size();
      state_ = State::kComplete;
      return Progress::kComplete;
    case ChunkedBody::Progress::kBroken:
      return Refuse(HttpRefusal::kBrokenFraming, chunks_->fault());
    case ChunkedBody::Progress::kTooLarge:
      return Refuse(HttpRefusal::kBodyTooLarge, "chunks");
  }
  return Progress::kNeedMore;
}

void RequestReader::Next() {
  begin_ += header_size_;
  if (begin_ == end_) begin_ = end_ = 0;
  state_ = State::kHeader;
  expects_continue_ = keep_alive_ = http_1_0_ = skipped_empty_line_ = false;
  scanned_ = line_ = header_size_ = body_size_ = body_filled_ = 0;
  chunks_.reset();
  request_.method = request_.target = request_.path = request_.query = {};
  request_.headers.clear();
  if (request_.headers.capacity() > kMostHeadersKept) request_.headers.shrink_to_fit();
  request_.body.clear();
  if (request_.body.capacity() > kBodyStep) request_.body.shrink_to_fit();
}

}  // namespace aulm::gateway
