// What a call to aulm costs, beside the least that libcurl can do, in one run against the same fixed upstream:
//   bare          curl_multi with its socket interface on one thread: POST by POSTFIELDS, answer appended to a string
//   bare, read    the same with the body given by a read function, the other way to keep libcurl from a second POST
//   AulmClient    JSON written and read, headers, deadlines, metrics, gate; over CurlTransport
// Calls begin where the one before ended, so that each column keeps a fixed number in flight. CPU is this process's
// own.
//
// Usage: aulm_transport_bench [calls per cell, 40000 by default]
#include <curl/curl.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "prometheus/registry.h"
#include "service/aulm/aulm_client.h"
#include "service/aulm/curl_transport.h"
#include "service/base/system_clock.h"
#include "tests/support/child_process.h"

namespace aulm::gateway {
namespace {

constexpr int kRounds = 8;
constexpr absl::string_view kSession = "11111111-1111-4111-8111-111111111111";
constexpr absl::string_view kNumber = "+966512345678";
constexpr absl::string_view kText = "Your order 4711 has left the warehouse and will be with you tomorrow.";

struct Cost {
  double wall_us = 1e9;  // a call
  double cpu_us = 1e9;   // a call
};

double CpuMicroseconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return 1e6 * (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) + usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
}

Cost Measure(int calls, const std::function<void()>& run) {
  const double cpu = CpuMicroseconds();
  const absl::Time start = absl::Now();
  run();
  return {absl::ToDoubleMicroseconds(absl::Now() - start) / calls, (CpuMicroseconds() - cpu) / calls};
}

// The documented pattern: epoll, curl_multi_socket_action, handles used again at once.
class BareLoop {
 public:
  BareLoop(std::string url, int in_flight, bool read_function)
      : multi_(curl_multi_init()), epoll_(epoll_create1(EPOLL_CLOEXEC)), slots_(in_flight) {
    curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, &BareLoop::OnSocket);
    curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
    curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, &BareLoop::OnTimer);
    curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
    body_ = absl::StrCat(R"({"session_id":")", kSession, R"(","to":")", kNumber, R"(","body":")", kText, "\"}");
    for (const char* line : {"Authorization: Bearer alm_sk_test_0123456789", "Accept: application/json",
                             "User-Agent: bare/1", "Content-Type: application/json", "Expect:"}) {
      headers_ = curl_slist_append(headers_, line);
    }
    for (Slot& slot : slots_) {
      slot.body = &body_;
      slot.easy = curl_easy_init();
      curl_easy_setopt(slot.easy, CURLOPT_URL, url.c_str());
      curl_easy_setopt(slot.easy, CURLOPT_HTTPHEADER, headers_);
      curl_easy_setopt(slot.easy, CURLOPT_NOSIGNAL, 1L);
      curl_easy_setopt(slot.easy, CURLOPT_POST, 1L);
      curl_easy_setopt(slot.easy, CURLOPT_POSTFIELDSIZE, static_cast<long>(body_.size()));
      if (read_function) {
        curl_easy_setopt(slot.easy, CURLOPT_READFUNCTION, &BareLoop::OnRead);
        curl_easy_setopt(slot.easy, CURLOPT_READDATA, &slot);
      } else {
        curl_easy_setopt(slot.easy, CURLOPT_POSTFIELDS, body_.c_str());
      }
      curl_easy_setopt(slot.easy, CURLOPT_WRITEFUNCTION, &BareLoop::OnWrite);
      curl_easy_setopt(slot.easy, CURLOPT_WRITEDATA, &slot);
      curl_easy_setopt(slot.easy, CURLOPT_PRIVATE, &slot);
    }
  }

  ~BareLoop() {
    for (Slot& slot : slots_) curl_easy_cleanup(slot.easy);
    curl_multi_cleanup(multi_);
    curl_slist_free_all(headers_);
    close(epoll_);
  }

  void Run(int calls) {
    int left = calls;
    int running = 0;
    for (Slot& slot : slots_) {
      --left;
      slot.sent = 0;
      curl_multi_add_handle(multi_, slot.easy);
    }
    int busy = static_cast<int>(slots_.size());
    epoll_event events[64];
    while (busy > 0) {
      const int count = epoll_wait(epoll_, events, 64, static_cast<int>(timeout_ms_));
      for (int i = 0; i < count; ++i) {
        const int mask = ((events[i].events & EPOLLIN) ? CURL_CSELECT_IN : 0) |
                         ((events[i].events & EPOLLOUT) ? CURL_CSELECT_OUT : 0);
        curl_multi_socket_action(multi_, events[i].data.fd, mask, &running);
      }
      if (timeout_ms_ == 0 || count == 0) {
        timeout_ms_ = -1;
        curl_multi_socket_action(multi_, CURL_SOCKET_TIMEOUT, 0, &running);
      }
      int queued;
      while (const CURLMsg* message = curl_multi_info_read(multi_, &queued)) {
        Slot* slot = nullptr;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &slot);
        if (message->data.result != CURLE_OK || slot->answer.empty()) std::abort();
        curl_multi_remove_handle(multi_, slot->easy);
        slot->answer.clear();
        slot->sent = 0;
        if (left > 0) {
          --left;
          curl_multi_add_handle(multi_, slot->easy);
        } else {
          --busy;
        }
      }
    }
  }

 private:
  struct Slot {
    CURL* easy = nullptr;
    const std::string* body = nullptr;
    size_t sent = 0;
    std::string answer;
  };

  static size_t OnRead(char* buffer, size_t size, size_t count, void* slot_pointer) {
    auto& slot = *static_cast<Slot*>(slot_pointer);
    const size_t bytes = std::min(size * count, slot.body->size() - slot.sent);
    std::memcpy(buffer, slot.body->data() + slot.sent, bytes);
    slot.sent += bytes;
    return bytes;
  }

  static size_t OnWrite(char* data, size_t size, size_t count, void* slot) {
    static_cast<Slot*>(slot)->answer.append(data, size * count);
    return size * count;
  }

  static int OnSocket(CURL*, curl_socket_t socket, int what, void* self, void* known) {
    auto& loop = *static_cast<BareLoop*>(self);
    epoll_event event{};
    event.data.fd = socket;
    if (what & CURL_POLL_IN) event.events |= EPOLLIN;
    if (what & CURL_POLL_OUT) event.events |= EPOLLOUT;
    if (what == CURL_POLL_REMOVE) {
      epoll_ctl(loop.epoll_, EPOLL_CTL_DEL, socket, &event);
    } else {
      epoll_ctl(loop.epoll_, known == nullptr ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, socket, &event);
      if (known == nullptr) curl_multi_assign(loop.multi_, socket, self);
    }
    return 0;
  }

  static int OnTimer(CURLM*, long timeout_ms, void* self) {
    static_cast<BareLoop*>(self)->timeout_ms_ = timeout_ms;
    return 0;
  }

  CURLM* multi_;
  int epoll_;
  long timeout_ms_ = -1;
  std::string body_;
  curl_slist* headers_ = nullptr;
  std::vector<Slot> slots_;
};

// Begins the next send when one ends, until all are made.
class Chain final : public SendObserver, public std::enable_shared_from_this<Chain> {
 public:
  Chain(AulmClient& client, std::atomic<int>& left, std::atomic<int>& busy, absl::Notification& over)
      : client_(client), left_(left), busy_(busy), over_(over) {}

  void Next() {
    if (left_.fetch_sub(1) <= 0) {
      if (busy_.fetch_sub(1) == 1) over_.Notify();
      return;
    }
    AulmCallOptions options;
    options.deadline = absl::Now() + absl::Seconds(30);
    client_.SendText({kSession, kNumber, kText}, options, shared_from_this());
  }

  void OnDetached(absl::Status) override {}

  void OnDone(absl::StatusOr<SendResult> result) override {
    if (!result.ok()) {
      std::fprintf(stderr, "%s\n", result.status().ToString().c_str());
      std::abort();
    }
    Next();
  }

 private:
  AulmClient& client_;
  std::atomic<int>& left_;
  std::atomic<int>& busy_;
  absl::Notification& over_;
};

void RunClient(AulmClient& client, int calls, int in_flight) {
  std::atomic<int> left{calls};
  std::atomic<int> busy{in_flight};
  absl::Notification over;
  for (int i = 0; i < in_flight; ++i) std::make_shared<Chain>(client, left, busy, over)->Next();
  over.WaitForNotification();
}

int Main(int calls) {
  auto upstream = ChildProcess::Start({BinaryPath("fixed_upstream")}, {});
  if (!upstream.ok()) {
    std::fprintf(stderr, "%s\n", upstream.status().ToString().c_str());
    return 1;
  }
  const auto line = upstream->ReadLine(absl::Seconds(10));
  if (!line.ok()) return 1;
  const std::string base_url = absl::StrCat("http://", line->substr(line->rfind(' ') + 1));
  const std::string url = absl::StrCat(base_url, "/v1/messages/send-text");

  curl_global_init(CURL_GLOBAL_DEFAULT);
  SystemClock clock;
  prometheus::Registry registry;
  AulmMetrics metrics(registry);
  CurlTransport transport({}, metrics);
  AulmClient::Options options;
  options.account = "default";
  options.base_url = base_url;
  options.api_key = [] { return ApiKey{"alm_sk_test_0123456789", 1}; };
  auto client = AulmClient::Create(std::move(options), transport, std::make_shared<AulmAddress>(), clock, metrics);
  if (!client.ok()) return 1;

  std::printf("%d calls a cell; microseconds a call\n", calls);
  std::printf("%9s  %-12s %9s %9s %12s %12s\n", "in flight", "", "wall", "CPU", "wall / bare", "CPU / bare");
  for (const int in_flight : {1, 16, 50, 200}) {
    BareLoop bare(url, in_flight, /*read_function=*/false);
    BareLoop bare_read(url, in_flight, /*read_function=*/true);
    const struct {
      const char* name;
      std::function<void(int)> run;
    } columns[] = {{"bare", [&](int count) { bare.Run(count); }},
                   {"bare, read", [&](int count) { bare_read.Run(count); }},
                   {"AulmClient", [&](int count) { RunClient(**client, count, in_flight); }}};
    // In turns, the best of each: what else runs on the machine disturbs all alike.
    Cost best[std::size(columns)];
    for (const auto& column : columns) column.run(std::max(in_flight, calls / 20));
    for (int round = 0; round < kRounds; ++round) {
      for (size_t i = 0; i < std::size(columns); ++i) {
        const int count = std::max(in_flight, calls / kRounds);
        const Cost cost = Measure(count, [&] { columns[i].run(count); });
        best[i].wall_us = std::min(best[i].wall_us, cost.wall_us);
        best[i].cpu_us = std::min(best[i].cpu_us, cost.cpu_us);
      }
    }
    for (size_t i = 0; i < std::size(columns); ++i) {
      std::printf("%9d  %-12s %9.1f %9.1f %12.2f %12.2f\n", in_flight, columns[i].name, best[i].wall_us, best[i].cpu_us,
                  best[i].wall_us / best[0].wall_us, best[i].cpu_us / best[0].cpu_us);
    }
  }
  transport.Stop();
  return 0;
}

}  // namespace
}  // namespace aulm::gateway

int main(int argc, char** argv) {
  int calls = 40000;
  if (argc > 1 && (!absl::SimpleAtoi(argv[1], &calls) || calls < 1000)) {
    std::fprintf(stderr, "usage: %s [calls per cell, at least 1000]\n", argv[0]);
    return 2;
  }
  return aulm::gateway::Main(calls);
}
