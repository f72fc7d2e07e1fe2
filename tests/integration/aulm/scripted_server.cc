#include "tests/integration/aulm/scripted_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace aulm::gateway {
namespace {

size_t ContentLength(absl::string_view head) {
  for (const absl::string_view line : absl::StrSplit(head, "\r\n")) {
    if (!absl::StartsWithIgnoreCase(line, "content-length:")) continue;
    size_t length = 0;
    if (absl::SimpleAtoi(absl::StripAsciiWhitespace(line.substr(15)), &length)) return length;
  }
  return 0;
}

}  // namespace

ScriptedServer::ScriptedServer(Script script, SSL_CTX* tls) : script_(std::move(script)), tls_(tls) {
  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  if (bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 || listen(listener_, 512) != 0) abort();
  getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this] {
    // OpenSSL writes without MSG_NOSIGNAL. The connections' threads inherit the mask.
    sigset_t broken_pipe;
    sigemptyset(&broken_pipe);
    sigaddset(&broken_pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &broken_pipe, nullptr);
    Accept();
  });
}

ScriptedServer::~ScriptedServer() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
    for (const int socket : open_) shutdown(socket, SHUT_RDWR);
  }
  shutdown(listener_, SHUT_RDWR);
  acceptor_.join();
  close(listener_);
  std::vector<std::thread> threads;
  {
    absl::MutexLock lock(&mutex_);
    threads.swap(threads_);
  }
  for (std::thread& thread : threads) thread.join();
}

std::string ScriptedServer::base_url() const {
  return absl::StrCat(tls_ == nullptr ? "http" : "https", "://127.0.0.1:", port_);
}

std::vector<std::string> ScriptedServer::requests() const {
  absl::MutexLock lock(&mutex_);
  return requests_;
}

std::string ScriptedServer::received(int index) const {
  absl::MutexLock lock(&mutex_);
  const auto found = received_.find(index);
  return found == received_.end() ? "" : found->second;
}

void ScriptedServer::Accept() {
  while (true) {
    const int socket = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (socket < 0) return;
    const int on = 1;
    setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    const int index = connections_++;
    absl::MutexLock lock(&mutex_);
    if (stopping_) {
      close(socket);
      return;
    }
    open_.push_back(socket);
    threads_.emplace_back([this, socket, index] { Serve(socket, index); });
  }
}

void ScriptedServer::Serve(int socket, int index) {
  SSL* tls = nullptr;
  bool ready = true;
  if (tls_ != nullptr) {
    tls = SSL_new(tls_);
    SSL_set_fd(tls, socket);
    ready = SSL_accept(tls) == 1;
  }
  if (ready) {
    Connection connection(*this, socket, index, tls);
    script_(connection);
  }
  SSL_free(tls);
  absl::MutexLock lock(&mutex_);
  open_.erase(std::find(open_.begin(), open_.end(), socket));
  close(socket);
}

int ScriptedServer::Connection::Receive(char* buffer, int size) {
  const int got =
      std::max(0, tls_ != nullptr ? SSL_read(tls_, buffer, size) : static_cast<int>(recv(socket_, buffer, size, 0)));
  absl::MutexLock lock(&server_.mutex_);
  server_.received_[index_].append(buffer, got);
  return got;
}

std::optional<std::string> ScriptedServer::Connection::ReadHead() {
  size_t end;
  while ((end = buffered_.find("\r\n\r\n")) == std::string::npos) {
    char chunk[65536];
    const int got = Receive(chunk, sizeof(chunk));
    if (got == 0) return std::nullopt;
    buffered_.append(chunk, got);
  }
  std::string head = buffered_.substr(0, end + 4);
  buffered_.erase(0, end + 4);
  return head;
}

std::optional<std::string> ScriptedServer::Connection::ReadRequest() {
  std::optional<std::string> request = ReadHead();
  if (!request.has_value()) return std::nullopt;
  const size_t length = ContentLength(*request);
  while (buffered_.size() < length) {
    char chunk[65536];
    const int got = Receive(chunk, sizeof(chunk));
    if (got == 0) return std::nullopt;
    buffered_.append(chunk, got);
  }
  request->append(buffered_, 0, length);
  buffered_.erase(0, length);
  absl::MutexLock lock(&server_.mutex_);
  server_.requests_.push_back(*request);
  return request;
}

bool ScriptedServer::Connection::ReadByte() {
  if (!buffered_.empty()) {
    buffered_.erase(0, 1);
    return true;
  }
  char byte;
  return Receive(&byte, 1) == 1;
}

std::optional<std::string> ScriptedServer::Connection::Read(size_t bytes) {
  while (buffered_.size() < bytes) {
    char chunk[65536];
    const int got = Receive(chunk, sizeof(chunk));
    if (got == 0) return std::nullopt;
    buffered_.append(chunk, got);
  }
  std::string read = buffered_.substr(0, bytes);
  buffered_.erase(0, bytes);
  return read;
}

bool ScriptedServer::Connection::Write(absl::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t put = tls_ != nullptr ? SSL_write(tls_, bytes.data(), static_cast<int>(bytes.size()))
                                        : send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (put <= 0) return false;
    bytes.remove_prefix(put);
  }
  return true;
}

void ScriptedServer::Connection::ResetAtEnd() {
  const linger abort{1, 0};
  setsockopt(socket_, SOL_SOCKET, SO_LINGER, &abort, sizeof(abort));
}

std::string Answer(int status, absl::string_view body, absl::string_view headers) {
  return absl::StrCat("HTTP/1.1 ", status, " X\r\nContent-Type: application/json\r\nContent-Length: ", body.size(),
                      "\r\n", headers, "\r\n", body);
}

std::string Accepted(absl::string_view message_id) {
  return Answer(201,
                absl::StrCat(R"({"data":{"message_id":")", message_id,
                             R"(","session_id":"4c3d2b1a-0000-4000-8000-000000000001","to":"+966512345678",)",
                             R"("status":"sent","simulated":false},"request_id":"body-id"})"),
                "x-request-id: header-id\r\n");
}

}  // namespace aulm::gateway
