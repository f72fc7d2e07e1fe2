#include "tests/bench/webhook/webhook_load.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "tests/support/webhook_client.h"

namespace aulm::gateway {
namespace {

using SteadyClock = std::chrono::steady_clock;

struct Connection {
  int socket = -1;
  SteadyClock::time_point begun;
};

int ConnectTo(const std::string& address) {
  const size_t colon = address.rfind(':');
  uint32_t port = 0;
  if (!absl::SimpleAtoi(address.substr(colon + 1), &port)) return -1;
  sockaddr_in peer{};
  peer.sin_family = AF_INET;
  peer.sin_port = htons(static_cast<uint16_t>(port));
  ::inet_pton(AF_INET, address.substr(0, colon).c_str(), &peer.sin_addr);
  const int made = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  ::setsockopt(made, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  return ::connect(made, reinterpret_cast<const sockaddr*>(&peer), sizeof(peer)) == 0 ? made : -1;
}

}  // namespace

std::vector<std::string> MakeDeliveries(size_t count, int run, absl::string_view secret) {
  std::vector<std::string> deliveries;
  deliveries.reserve(count);
  // As aulm's: events of now.
  const std::string now = absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", absl::Now(), absl::UTCTimeZone());
  for (size_t i = 0; i < count; ++i) {
    const uint64_t mixed = (i + 1) * 0x9e3779b97f4a7c15u;  // spread over the key space, as real ids are
    const std::string id =
        absl::StrFormat("%08x-%04x-4%03x-8000-%04x%08x", mixed >> 32, mixed >> 16 & 0xffff, mixed & 0xfff, run, i);
    const std::string body =
        MessageStatusBody(id, "11111111-2222-4333-8444-555555555555", absl::StrCat("wamid.HBgMOTY2NTEyMzQ1Njc4FQI", i),
                          "+966512345678", "delivered", now);
    deliveries.push_back(absl::StrCat(
        "POST /webhooks/aulm HTTP/1.1\r\nhost: 127.0.0.1:8080\r\nuser-agent: aulm-webhooks/1.0\r\naccept: */*\r\n"
        "content-type: application/json\r\nx-aulm-event: message_status\r\nx-aulm-delivery-id: ",
        id, "\r\nx-aulm-attempt: 1\r\nx-aulm-signature: ", SignDelivery(secret, body),
        "\r\ncontent-length: ", body.size(), "\r\n\r\n", body));
  }
  return deliveries;
}

WebhookLoad PostDeliveries(const std::vector<std::string>& deliveries, const std::string& address, size_t connections) {
  WebhookLoad load;
  std::vector<double> times;
  times.reserve(deliveries.size());
  std::vector<Connection> all(connections);
  const int poll = ::epoll_create1(EPOLL_CLOEXEC);
  size_t next = 0;
  size_t under_way = 0;
  // A message fits the socket's buffer, and there is none before it: one call writes it.
  const auto send = [&](Connection& connection) {
    if (next == deliveries.size()) return;
    const std::string& message = deliveries[next++];
    connection.begun = SteadyClock::now();
    if (::send(connection.socket, message.data(), message.size(), MSG_NOSIGNAL) ==
        static_cast<ssize_t>(message.size())) {
      ++under_way;
    } else {
      ++load.refused;
    }
  };
  const SteadyClock::time_point begun = SteadyClock::now();
  for (Connection& connection : all) {
    connection.socket = ConnectTo(address);
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.ptr = &connection;
    ::epoll_ctl(poll, EPOLL_CTL_ADD, connection.socket, &event);
    send(connection);
  }
  std::array<epoll_event, 256> events;
  std::array<char, 4096> answer;
  while (under_way > 0) {
    const int ready = ::epoll_wait(poll, events.data(), static_cast<int>(events.size()), 10'000);
    if (ready <= 0) break;
    for (int i = 0; i < ready; ++i) {
      Connection& connection = *static_cast<Connection*>(events[static_cast<size_t>(i)].data.ptr);
      // The answers are small and written at once, so that one read has a whole one.
      const ssize_t got = ::recv(connection.socket, answer.data(), answer.size(), 0);
      --under_way;
      if (got <= 0) {
        ++load.refused;
        ::epoll_ctl(poll, EPOLL_CTL_DEL, connection.socket, nullptr);
        continue;
      }
      if (!absl::StartsWith(absl::string_view(answer.data(), static_cast<size_t>(got)), "HTTP/1.1 200")) ++load.refused;
      times.push_back(std::chrono::duration<double, std::milli>(SteadyClock::now() - connection.begun).count());
      send(connection);
    }
  }
  load.per_second =
      static_cast<double>(times.size()) / std::chrono::duration<double>(SteadyClock::now() - begun).count();
  load.refused += static_cast<int>(deliveries.size() - next + under_way);
  for (const Connection& connection : all) ::close(connection.socket);
  ::close(poll);
  if (times.empty()) return load;
  std::sort(times.begin(), times.end());
  load.median_ms = times[times.size() / 2];
  load.p99_ms = times[times.size() * 99 / 100];
  return load;
}

}  // namespace aulm::gateway
