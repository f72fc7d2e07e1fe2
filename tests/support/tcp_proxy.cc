#include "tests/support/tcp_proxy.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdint>

namespace aulm::gateway {
namespace {

// How late the thread notices that something was asked of it.
constexpr int kStepMs = 20;

sockaddr_in Loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

}  // namespace

TcpProxy::TcpProxy(int target_port)
    : target_port_(target_port), listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address = Loopback(0);
  socklen_t size = sizeof(address);
  bind(listener_, reinterpret_cast<sockaddr*>(&address), size);
  listen(listener_, 16);
  getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { Run(); });
}

TcpProxy::~TcpProxy() {
  stop_ = true;
  thread_.join();
  close(listener_);
}

void TcpProxy::Run() {
  bool was_cut = false;
  while (!stop_) {
    const bool cut = cut_;
    if (was_cut && !cut) {
      // What both sides still have under way there will not come any more.
      for (const Pair& pair : pairs_) {
        close(pair.client);
        close(pair.server);
      }
      pairs_.clear();
    }
    was_cut = cut;
    std::vector<pollfd> files;
    if (!cut) {
      files.push_back({listener_, POLLIN, 0});
      for (const Pair& pair : pairs_) {
        files.push_back({pair.client, POLLIN, 0});
        files.push_back({pair.server, POLLIN, 0});
      }
    }
    if (poll(files.data(), files.size(), kStepMs) <= 0) continue;
    std::vector<Pair> left;
    for (size_t i = 0; i < pairs_.size(); ++i) {
      const Pair pair = pairs_[i];
      const bool from_client = files[1 + 2 * i].revents == 0 || Forward(pair.client, pair.server, nullptr);
      const bool from_server = files[2 + 2 * i].revents == 0 || Forward(pair.server, pair.client, &left_);
      if (from_client && from_server) {
        left.push_back(pair);
        continue;
      }
      close(pair.client);
      close(pair.server);
    }
    pairs_ = left;
    if (files.front().revents != 0) Accept();
  }
  for (const Pair& pair : pairs_) {
    close(pair.client);
    close(pair.server);
  }
}

void TcpProxy::Accept() {
  const int client = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
  if (client < 0) return;
  const int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in target = Loopback(target_port_);
  if (connect(server, reinterpret_cast<const sockaddr*>(&target), sizeof(target)) == 0) {
    pairs_.push_back({client, server});
    return;
  }
  close(client);
  close(server);
}

bool TcpProxy::Forward(int from, int to, std::atomic<int64_t>* left) {
  std::array<char, 65536> buffer;
  ssize_t got = recv(from, buffer.data(), buffer.size(), 0);
  if (got <= 0) return false;
  const bool ends = left != nullptr && *left >= 0 && *left <= got;
  if (ends) {
    got = static_cast<ssize_t>(*left);
  } else if (left != nullptr && *left >= 0) {
    *left -= got;
  }
  for (ssize_t sent = 0; sent < got;) {
    const ssize_t more = send(to, buffer.data() + sent, static_cast<size_t>(got - sent), MSG_NOSIGNAL);
    if (more <= 0) return false;
    sent += more;
  }
  if (ends) *left = -1;
  return !ends;
}

}  // namespace aulm::gateway
