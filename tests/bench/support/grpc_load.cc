#include "tests/bench/support/grpc_load.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <nghttp2/nghttp2.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <unordered_map>
#include <utility>

namespace aulm::gateway {
namespace {

[[noreturn]] void Fail(const char* what) {
  std::fprintf(stderr, "grpc load: %s\n", what);
  std::exit(1);
}

int64_t Nanoseconds() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

nghttp2_nv Header(const std::string& name, const std::string& value) {
  return {reinterpret_cast<uint8_t*>(const_cast<char*>(name.data())),
          reinterpret_cast<uint8_t*>(const_cast<char*>(value.data())), name.size(), value.size(),
          NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE};
}

class Load;

// One connection and the calls under way on it.
class Connection {
 public:
  Connection(Load& load, const std::string& address);
  ~Connection() {
    nghttp2_session_del(session_);
    close(socket_);
  }

  int socket() const { return socket_; }
  int open() const { return open_; }
  void Submit(std::string message);
  void Read();
  // Writes what nghttp2 has to say; true while the socket takes no more.
  bool Write();

 private:
  struct Call {
    std::string body;
    size_t sent = 0;
    int64_t begun = 0;
    bool ok = false;
    std::string failure;
  };

  static int OnHeader(nghttp2_session*, const nghttp2_frame* frame, const uint8_t* name, size_t name_bytes,
                      const uint8_t* value, size_t value_bytes, uint8_t, void* self);
  static int OnClosed(nghttp2_session*, int32_t stream, uint32_t error, void* self);
  static ssize_t ReadBody(nghttp2_session*, int32_t stream, uint8_t* buffer, size_t bytes, uint32_t* flags,
                          nghttp2_data_source*, void* self);

  Load& load_;
  int socket_;
  nghttp2_session* session_ = nullptr;
  std::unordered_map<int32_t, Call> calls_;
  int open_ = 0;
  std::string unwritten_;
};

class Load {
 public:
  explicit Load(const GrpcLoad& what) : what_(what) {
    result_.latency_us.reserve(static_cast<size_t>(what.calls));
    epoll_ = epoll_create1(0);
    for (int i = 0; i < what.connections; ++i) {
      connections_.push_back(std::make_unique<Connection>(*this, what.address));
      epoll_event event{};
      event.events = EPOLLIN;
      event.data.ptr = connections_.back().get();
      epoll_ctl(epoll_, EPOLL_CTL_ADD, connections_.back()->socket(), &event);
    }
  }
  ~Load() { close(epoll_); }

  const GrpcLoad& what() const { return what_; }

  void Ended(int64_t begun, bool ok, const std::string& failure) {
    result_.latency_us.push_back(static_cast<double>(Nanoseconds() - begun) / 1000);
    if (ok) return;
    ++result_.failed;
    result_.failure = failure;
  }

  GrpcLoadResult Run() {
    const int64_t begun = Nanoseconds();
    std::array<epoll_event, 64> ready;
    while (static_cast<int64_t>(result_.latency_us.size()) < what_.calls) {
      SubmitDue(begun);
      for (const auto& connection : connections_) {
        if (!connection->Write()) continue;
        pollfd writable{connection->socket(), POLLOUT, 0};
        poll(&writable, 1, 1);
      }
      const int timeout = what_.per_second > 0 ? 1 : 1000;
      const int count = epoll_wait(epoll_, ready.data(), ready.size(), timeout);
      for (int i = 0; i < count; ++i) static_cast<Connection*>(ready[static_cast<size_t>(i)].data.ptr)->Read();
    }
    result_.seconds = static_cast<double>(Nanoseconds() - begun) / 1e9;
    result_.per_second = static_cast<double>(what_.calls) / result_.seconds;
    std::sort(result_.latency_us.begin(), result_.latency_us.end());
    return std::move(result_);
  }

 private:
  void SubmitDue(int64_t begun) {
    int64_t due = what_.calls;
    if (what_.per_second > 0) {
      due = std::min(due, static_cast<int64_t>(static_cast<double>(Nanoseconds() - begun) / 1e9 * what_.per_second));
    }
    for (size_t idle = 0; submitted_ < due && idle < connections_.size();) {
      Connection& connection = *connections_[next_++ % connections_.size()];
      if (connection.open() >= what_.streams) {
        ++idle;
        continue;
      }
      idle = 0;
      connection.Submit(what_.message(submitted_++));
    }
  }

  const GrpcLoad& what_;
  int epoll_;
  std::vector<std::unique_ptr<Connection>> connections_;
  size_t next_ = 0;
  int64_t submitted_ = 0;
  GrpcLoadResult result_;
};

Connection::Connection(Load& load, const std::string& address)
    : load_(load), socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<uint16_t>(std::atoi(address.c_str() + address.rfind(':') + 1)));
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(socket_, reinterpret_cast<sockaddr*>(&to), sizeof(to)) != 0) Fail("cannot connect");
  const int on = 1;
  setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  fcntl(socket_, F_SETFL, O_NONBLOCK);
  nghttp2_session_callbacks* callbacks = nullptr;
  nghttp2_session_callbacks_new(&callbacks);
  nghttp2_session_callbacks_set_on_header_callback(callbacks, &Connection::OnHeader);
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, &Connection::OnClosed);
  nghttp2_session_client_new(&session_, callbacks, this);
  nghttp2_session_callbacks_del(callbacks);
  nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, nullptr, 0);
  nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0, 1 << 30);
}

void Connection::Submit(std::string message) {
  static const std::string kMethod = ":method", kPost = "POST", kScheme = ":scheme", kHttp = "http", kPath = ":path",
                           kAuthority = ":authority", kTe = "te", kTrailers = "trailers", kType = "content-type",
                           kGrpc = "application/grpc";
  const GrpcLoad& what = load_.what();
  const std::array<nghttp2_nv, 6> headers = {Header(kMethod, kPost),   Header(kScheme, kHttp),
                                             Header(kPath, what.path), Header(kAuthority, what.address),
                                             Header(kTe, kTrailers),   Header(kType, kGrpc)};
  nghttp2_data_provider body{};
  body.read_callback = &Connection::ReadBody;
  const int32_t stream = nghttp2_submit_request(session_, nullptr, headers.data(), headers.size(), &body, nullptr);
  if (stream < 0) Fail(nghttp2_strerror(stream));
  Call& call = calls_[stream];
  const auto bytes = static_cast<uint32_t>(message.size());
  call.body = {0, static_cast<char>(bytes >> 24), static_cast<char>(bytes >> 16), static_cast<char>(bytes >> 8),
               static_cast<char>(bytes)};
  call.body += message;
  call.begun = Nanoseconds();
  ++open_;
}

void Connection::Read() {
  std::array<uint8_t, 65536> buffer;
  while (true) {
    const ssize_t got = recv(socket_, buffer.data(), buffer.size(), 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) Fail("the server closed a connection");
    const ssize_t taken = nghttp2_session_mem_recv(session_, buffer.data(), static_cast<size_t>(got));
    if (taken < 0) Fail(nghttp2_strerror(static_cast<int>(taken)));
    if (static_cast<size_t>(got) < buffer.size()) return;
  }
}

bool Connection::Write() {
  while (unwritten_.size() < 65536) {
    const uint8_t* data = nullptr;
    const ssize_t bytes = nghttp2_session_mem_send(session_, &data);
    if (bytes <= 0) break;
    unwritten_.append(reinterpret_cast<const char*>(data), static_cast<size_t>(bytes));
  }
  if (unwritten_.empty()) return false;
  const ssize_t put = send(socket_, unwritten_.data(), unwritten_.size(), MSG_NOSIGNAL);
  if (put < 0 && errno != EAGAIN && errno != EINTR) Fail("a connection broke");
  if (put > 0) unwritten_.erase(0, static_cast<size_t>(put));
  return !unwritten_.empty();
}

int Connection::OnHeader(nghttp2_session*, const nghttp2_frame* frame, const uint8_t* name, size_t name_bytes,
                         const uint8_t* value, size_t value_bytes, uint8_t, void* self) {
  const std::string_view key(reinterpret_cast<const char*>(name), name_bytes);
  if (key.size() < 11 || key[0] != 'g') return 0;
  const std::string_view text(reinterpret_cast<const char*>(value), value_bytes);
  Call& call = static_cast<Connection*>(self)->calls_[frame->hd.stream_id];
  if (key == "grpc-status") call.ok = text == "0";
  if (key == "grpc-message") call.failure = std::string(text);
  return 0;
}

int Connection::OnClosed(nghttp2_session*, int32_t stream, uint32_t, void* self) {
  auto& connection = *static_cast<Connection*>(self);
  const auto call = connection.calls_.find(stream);
  if (call == connection.calls_.end()) return 0;
  --connection.open_;
  connection.load_.Ended(call->second.begun, call->second.ok, call->second.failure);
  connection.calls_.erase(call);
  return 0;
}

ssize_t Connection::ReadBody(nghttp2_session*, int32_t stream, uint8_t* buffer, size_t bytes, uint32_t* flags,
                             nghttp2_data_source*, void* self) {
  Call& call = static_cast<Connection*>(self)->calls_[stream];
  const size_t now = std::min(bytes, call.body.size() - call.sent);
  std::memcpy(buffer, call.body.data() + call.sent, now);
  call.sent += now;
  if (call.sent == call.body.size()) *flags |= NGHTTP2_DATA_FLAG_EOF;
  return static_cast<ssize_t>(now);
}

}  // namespace

double GrpcLoadResult::Percentile(double part) const {
  if (latency_us.empty()) return 0;
  const auto index = static_cast<size_t>(part * static_cast<double>(latency_us.size()));
  return latency_us[std::min(index, latency_us.size() - 1)];
}

GrpcLoadResult RunGrpcLoad(const GrpcLoad& load) { return Load(load).Run(); }

}  // namespace aulm::gateway
