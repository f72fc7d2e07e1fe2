#include "tests/integration/aulm/http2_connection.h"

#include "absl/strings/str_cat.h"

namespace aulm::gateway {
namespace {

constexpr uint8_t kData = 0, kHeaders = 1, kReset = 3, kSettings = 4, kPing = 6, kGoAway = 7;
constexpr uint8_t kEndStream = 1, kAck = 1, kEndHeaders = 4;

std::string Big32(uint32_t value) {
  std::string bytes;
  for (const int shift : {24, 16, 8, 0}) bytes.push_back(static_cast<char>(value >> shift));
  return bytes;
}

uint32_t ReadBig(absl::string_view bytes) {
  uint32_t value = 0;
  for (const char c : bytes) value = value << 8 | static_cast<uint8_t>(c);
  return value;
}

}  // namespace

bool Http2Connection::Begin() {
  if (connection_.Read(24) != "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") return false;
  WriteFrame(kSettings, 0, 0, "");
  return true;
}

std::optional<Http2Connection::Request> Http2Connection::ReadRequest() {
  while (true) {
    const auto head = connection_.Read(9);
    if (!head.has_value()) return std::nullopt;
    const auto payload = connection_.Read(ReadBig(head->substr(0, 3)));
    if (!payload.has_value()) return std::nullopt;
    const auto type = static_cast<uint8_t>((*head)[3]);
    const auto flags = static_cast<uint8_t>((*head)[4]);
    const uint32_t stream = ReadBig(head->substr(5)) & 0x7FFFFFFF;
    if (type == kSettings && !(flags & kAck)) WriteFrame(kSettings, kAck, 0, "");
    if (type == kPing && !(flags & kAck)) WriteFrame(kPing, kAck, 0, *payload);
    if (type == kData) absl::StrAppend(&bodies_[stream], *payload);
    if ((type == kData || type == kHeaders) && (flags & kEndStream)) {
      Request request{stream, bodies_[stream]};
      bodies_.erase(stream);
      return request;
    }
  }
}

void Http2Connection::Answer(uint32_t stream, int status, absl::string_view body) {
  // HPACK: a literal without indexing, its name the 8th of the static table (:status).
  WriteFrame(kHeaders, kEndHeaders, stream, absl::StrCat("\x08\x03", status));
  WriteFrame(kData, kEndStream, stream, body);
}

void Http2Connection::Reset(uint32_t stream, uint32_t error) { WriteFrame(kReset, 0, stream, Big32(error)); }

void Http2Connection::GoAway(uint32_t last_stream) {
  WriteFrame(kGoAway, 0, 0, absl::StrCat(Big32(last_stream), Big32(0)));
}

void Http2Connection::WriteFrame(uint8_t type, uint8_t flags, uint32_t stream, absl::string_view payload) {
  std::string frame = Big32(static_cast<uint32_t>(payload.size())).substr(1);
  frame.push_back(static_cast<char>(type));
  frame.push_back(static_cast<char>(flags));
  connection_.Write(absl::StrCat(frame, Big32(stream), payload));
}

}  // namespace aulm::gateway
