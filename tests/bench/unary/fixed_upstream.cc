// A stand-in for aulm that does as little as an HTTP/1.1 server can: one epoll thread that answers every request with
// a 201 that is ready, but for a message id of its own. It is the fixed cost that every measured path shares. Prints
// "listening upstream host:port".
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <unordered_map>

namespace {

constexpr char kBody[] =
    R"({"data": {"message_id": "3EB0C767D097B7C7C0A1", "session_id": "11111111-1111-4111-8111-111111111111", )"
    R"("to": "+966512345678", "status": "sent", "simulated": false}, )"
    R"("request_id": "7f1d2a34-5b6c-4d7e-8f90-a1b2c3d4e5f6"})";

std::string Answer() {
  return "HTTP/1.1 201 Created\r\ncontent-type: application/json\r\n"
         "x-request-id: 7f1d2a34-5b6c-4d7e-8f90-a1b2c3d4e5f6\r\nx-ratelimit-limit: 1000000\r\n"
         "x-ratelimit-remaining: 999999\r\nx-ratelimit-reset: 2030-01-01T00:00:00.000Z\r\ncontent-length: " +
         std::to_string(sizeof(kBody) - 1) + "\r\n\r\n" + kBody;
}

// Message ids are as random as aulm's: what is kept under them must not come in order.
void PutMessageId(std::string& answer, size_t at) {
  static uint64_t state = 88172645463325252;
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  constexpr char kHex[] = "0123456789ABCDEF";
  for (size_t i = 0; i < 16; ++i) answer[at + i] = kHex[(state >> (4 * i)) & 0xf];
}

// Takes whole requests off the front of `input`; how many there were.
int TakeRequests(std::string& input) {
  int requests = 0;
  while (true) {
    const size_t head = input.find("\r\n\r\n");
    if (head == std::string::npos) return requests;
    size_t length = 0;
    for (const char* name : {"content-length:", "Content-Length:"}) {
      const size_t at = input.find(name);
      if (at < head) length = std::strtoul(input.c_str() + at + 15, nullptr, 10);
    }
    if (input.size() < head + 4 + length) return requests;
    input.erase(0, head + 4 + length);
    ++requests;
  }
}

}  // namespace

int main() {
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof(address);
  if (bind(listener, reinterpret_cast<sockaddr*>(&address), length) != 0 || listen(listener, 1024) != 0) return 1;
  getsockname(listener, reinterpret_cast<sockaddr*>(&address), &length);
  std::printf("listening upstream 127.0.0.1:%d\n", ntohs(address.sin_port));
  std::fflush(stdout);
  const int epoll = epoll_create1(0);
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = listener;
  epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
  std::string answer = Answer();
  const size_t message_id = answer.find("3EB0") + 4;
  std::unordered_map<int, std::string> inputs;
  std::array<epoll_event, 256> ready;
  std::array<char, 65536> buffer;
  while (true) {
    const int count = epoll_wait(epoll, ready.data(), ready.size(), -1);
    for (int i = 0; i < count; ++i) {
      const int fd = ready[static_cast<size_t>(i)].data.fd;
      if (fd == listener) {
        const int accepted = accept(listener, nullptr, nullptr);
        if (accepted < 0) continue;
        const int on = 1;
        setsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        event.data.fd = accepted;
        epoll_ctl(epoll, EPOLL_CTL_ADD, accepted, &event);
        continue;
      }
      const ssize_t got = read(fd, buffer.data(), buffer.size());
      if (got <= 0) {
        inputs.erase(fd);
        close(fd);
        continue;
      }
      std::string& input = inputs[fd];
      input.append(buffer.data(), static_cast<size_t>(got));
      for (int left = TakeRequests(input); left > 0; --left) {
        PutMessageId(answer, message_id);
        if (write(fd, answer.data(), answer.size()) < 0) break;
      }
    }
  }
}
