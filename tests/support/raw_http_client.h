#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"

namespace aulm::gateway {

// An answer as it came.
struct RawReply {
  int status = 0;                                            // 0: the connection ended before an answer was whole
  std::vector<std::pair<std::string, std::string>> headers;  // names in lower case
  std::string body;

  std::string Header(absl::string_view name) const {
    for (const auto& [key, value] : headers) {
      if (key == name) return value;
    }
    return "";
  }
};

// A blocking client for tests that sends exactly the bytes it is given, over loopback TCP. Every wait ends after 20 s,
// as if the peer had gone.
class RawHttpClient {
 public:
  // Has a socket, and is not connected yet.
  explicit RawHttpClient(int receive_buffer = 0) {
    socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (receive_buffer > 0) ::setsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof(receive_buffer));
    timeval limit{20, 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    ::setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
  }

  // Connects from `source` (any of 127.0.0.0/8 is ours) to `address`.
  RawHttpClient(absl::string_view source, absl::string_view address) : RawHttpClient() {
    sockaddr_in own{};
    own.sin_family = AF_INET;
    const bool bound = ::inet_pton(AF_INET, std::string(source).c_str(), &own.sin_addr) == 1 &&
                       ::bind(socket_, reinterpret_cast<const sockaddr*>(&own), sizeof(own)) == 0;
    if (bound) Connect(address);
  }

  // `address` is "127.0.0.1:41234". `receive_buffer` bounds the kernel's buffer, for readers that are to be slow.
  explicit RawHttpClient(absl::string_view address, int receive_buffer = 0) : RawHttpClient(receive_buffer) {
    Connect(address);
  }

  ~RawHttpClient() { Close(); }

  RawHttpClient(const RawHttpClient&) = delete;
  RawHttpClient& operator=(const RawHttpClient&) = delete;

  bool Connect(absl::string_view address) {
    const std::pair<std::string, std::string> parts = absl::StrSplit(address, ':');
    uint32_t port = 0;
    sockaddr_in peer{};
    peer.sin_family = AF_INET;
    connected_ =
        absl::SimpleAtoi(parts.second, &port) && ::inet_pton(AF_INET, parts.first.c_str(), &peer.sin_addr) == 1;
    peer.sin_port = htons(static_cast<uint16_t>(port));
    connected_ = connected_ && (::connect(socket_, reinterpret_cast<const sockaddr*>(&peer), sizeof(peer)) == 0 ||
                                (errno == EINTR && EndsConnected()));
    return connected_;
  }

  bool connected() const { return connected_; }
  int descriptor() const { return socket_; }

  // False when the peer has gone.
  bool Send(absl::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent < 0 && errno == EINTR) continue;  // a socket with a time limit is not restarted by itself
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
    return true;
  }

  // Says that no bytes follow.
  void EndSending() { ::shutdown(socket_, SHUT_WR); }

  // The next answer. `head_only`: it belongs to a HEAD request.
  RawReply ReadReply(bool head_only = false) {
    RawReply reply;
    size_t end;
    while ((end = held_.find("\r\n\r\n")) == std::string::npos) {
      if (!ReadMore()) return reply;
    }
    const std::string head = held_.substr(0, end);
    held_.erase(0, end + 4);
    size_t length = 0;
    int status = 0;
    bool first = true;
    for (const absl::string_view line : absl::StrSplit(head, "\r\n")) {
      if (std::exchange(first, false)) {
        if (!absl::StartsWith(line, "HTTP/1.1 ") || !absl::SimpleAtoi(line.substr(9, 3), &status)) return reply;
        continue;
      }
      const std::pair<absl::string_view, absl::string_view> field = absl::StrSplit(line, absl::MaxSplits(": ", 1));
      reply.headers.emplace_back(absl::AsciiStrToLower(field.first), std::string(field.second));
      if (reply.headers.back().first == "content-length" && !absl::SimpleAtoi(field.second, &length)) return reply;
    }
    while (!head_only && held_.size() < length) {
      if (!ReadMore()) return reply;
    }
    if (!head_only) {
      reply.body = held_.substr(0, length);
      held_.erase(0, length);
    }
    reply.status = status;
    return reply;
  }

  // So many bytes, fewer when the peer ends before.
  std::string ReadExactly(size_t count) {
    while (held_.size() < count && ReadMore()) {
    }
    std::string bytes = held_.substr(0, count);
    held_.erase(0, count);
    return bytes;
  }

  // True when the peer ends the connection (in whatever way) without sending anything more.
  bool ReadsEnd() { return held_.empty() && !ReadMore() && !timed_out_; }

  // True when a byte is there already.
  bool HasByteNow() {
    char byte;
    return !held_.empty() || ::recv(socket_, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
  }

  void Close() {
    if (socket_ >= 0) ::close(std::exchange(socket_, -1));
  }

 private:
  // After a signal, connecting goes on by itself: waits for its end.
  bool EndsConnected() const {
    pollfd writable{socket_, POLLOUT, 0};
    while (::poll(&writable, 1, -1) < 0 && errno == EINTR) continue;
    int error = 0;
    socklen_t size = sizeof(error);
    return ::getsockopt(socket_, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0;
  }

  bool ReadMore() {
    char bytes[16384];
    ssize_t got;
    do {
      got = ::recv(socket_, bytes, sizeof(bytes), 0);
    } while (got < 0 && errno == EINTR);
    timed_out_ = got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
    if (got <= 0) return false;
    held_.append(bytes, static_cast<size_t>(got));
    return true;
  }

  int socket_ = -1;
  bool connected_ = false;
  bool timed_out_ = false;
  std::string held_;
};

}  // namespace aulm::gateway
