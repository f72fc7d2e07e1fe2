#include "service/aulm/curl_loop.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <utility>

#include "absl/time/clock.h"

namespace aulm::gateway {
namespace {

// Transfers kept for reuse; each idle one holds some 20 KB.
constexpr size_t kPooledTransfers = 128;

int64_t MonotonicNanoseconds() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

int64_t After(absl::Duration delay) {
  if (delay >= absl::Hours(24 * 365)) return INT64_MAX;
  return MonotonicNanoseconds() + std::max<int64_t>(0, absl::ToInt64Nanoseconds(delay));
}

}  // namespace

CurlLoop::CurlLoop(const CurlTransportOptions& options, AulmMetrics& metrics)
    : options_(options), metrics_(metrics), multi_(curl_multi_init()) {
  if (multi_ == nullptr) abort();  // out of memory
  curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, &CurlLoop::OnSocket);
  curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, &CurlLoop::OnTimer);
  curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_PIPELINING, static_cast<long>(CURLPIPE_MULTIPLEX));
  // Left to itself libcurl keeps four times as many connections as transfers are under way at that moment, and so
  // closes good ones whenever the traffic pauses.
  curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, static_cast<long>(options_.max_idle_connections));
}

CurlLoop::~CurlLoop() {
  active_.clear();
  pool_.clear();
  curl_multi_cleanup(multi_);  // closes the connections, which calls OnSocket
}

int CurlLoop::OnSocket(CURL*, curl_socket_t socket, int what, void* self, void*) {
  SocketPoller& poller = static_cast<CurlLoop*>(self)->poller_;
  if (what == CURL_POLL_REMOVE) {
    poller.Park(socket);
    return 0;
  }
  uint32_t events = 0;
  if (what & CURL_POLL_IN) events |= EPOLLIN;
  if (what & CURL_POLL_OUT) events |= EPOLLOUT;
  poller.Watch(socket, events);
  return 0;
}

int CurlLoop::OnSocketOpened(void* self, curl_socket_t socket, curlsocktype) {
  auto& loop = *static_cast<CurlLoop*>(self);
  loop.metrics_.ConnectionOpened();
  loop.poller_.Opened(socket);
  return CURL_SOCKOPT_OK;
}

int CurlLoop::OnSocketClosed(void* self, curl_socket_t socket) {
  auto& loop = *static_cast<CurlLoop*>(self);
  loop.metrics_.ConnectionClosed();
  loop.poller_.Closed(socket);
  return close(socket);
}

int CurlLoop::OnTimer(CURLM*, long timeout_ms, void* self) {
  auto& loop = *static_cast<CurlLoop*>(self);
  loop.curl_due_ = timeout_ms < 0 ? INT64_MAX : MonotonicNanoseconds() + timeout_ms * 1'000'000;
  return 0;
}

void CurlLoop::Start(HttpTransport::ExchangeId id, HttpRequest request, std::shared_ptr<HttpExchange> exchange) {
  if (stopping_) {
    exchange->OnDone(HttpFailure{HttpFailure::Reason::kStopped, false, "the transport is stopping"});
    return;
  }
  if (request.deadline <= absl::Now()) {  // nobody waits for it any more: written now, it would only make a doubt
    exchange->OnDone(HttpFailure{HttpFailure::Reason::kDeadline, false, "no answer in time"});
    return;
  }
  std::unique_ptr<CurlTransfer> transfer;
  if (pool_.empty()) {
    transfer = std::make_unique<CurlTransfer>(options_);
    CURL* const easy = transfer->easy();
    curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, &CurlLoop::OnSocketOpened);
    curl_easy_setopt(easy, CURLOPT_SOCKOPTDATA, this);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, &CurlLoop::OnSocketClosed);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, this);
  } else {
    transfer = std::move(pool_.back());
    pool_.pop_back();
  }
  const absl::Time deadline = request.deadline;
  CurlTransfer& begun = *transfer;
  const bool can_go = begun.Begin(id, std::move(request), std::move(exchange));
  active_.emplace(id, std::move(transfer));
  if (!can_go || curl_multi_add_handle(multi_, begun.easy()) != CURLM_OK) {
    Finish(begun, HttpFailure{HttpFailure::Reason::kConnect, false, "the request is not one that can be sent"});
    return;
  }
  if (deadline != absl::InfiniteFuture()) SetDue(begun, After(deadline - absl::Now()));
}

void CurlLoop::Cancel(HttpTransport::ExchangeId id) {
  const auto found = active_.find(id);
  if (found != active_.end()) EndOrDetach(*found->second, HttpFailure::Reason::kCanceled);
}

void CurlLoop::Stop(absl::Duration grace) {
  stopping_ = true;
  stop_due_ = After(grace);
  std::vector<CurlTransfer*> ended;
  for (const auto& [id, transfer] : active_) {
    if (!transfer->must_finish()) ended.push_back(transfer.get());
  }
  for (CurlTransfer* transfer : ended) End(*transfer, HttpFailure::Reason::kStopped);
}

void CurlLoop::Turn(bool may_wait) {
  int running = 0;
  for (const epoll_event& event : poller_.Wait(may_wait ? WaitMilliseconds() : 0)) {
    int mask = 0;
    if (event.events & EPOLLIN) mask |= CURL_CSELECT_IN;
    if (event.events & EPOLLOUT) mask |= CURL_CSELECT_OUT;
    if (event.events & (EPOLLERR | EPOLLHUP)) mask |= CURL_CSELECT_ERR;
    curl_multi_socket_action(multi_, event.data.fd, mask, &running);
  }
  if (curl_due_ != INT64_MAX && curl_due_ <= MonotonicNanoseconds()) {
    curl_due_ = INT64_MAX;  // libcurl sets the next one from within
    curl_multi_socket_action(multi_, CURL_SOCKET_TIMEOUT, 0, &running);
  }
  Collect();  // first: an answer that is there counts, however late
  ExpireDeadlines();
}

int CurlLoop::WaitMilliseconds() const {
  int64_t due = std::min(curl_due_, stop_due_);
  if (!deadlines_.empty()) due = std::min(due, deadlines_.begin()->first);
  if (due == INT64_MAX) return -1;
  const int64_t wait = due - MonotonicNanoseconds();
  if (wait <= 0) return 0;
  return static_cast<int>(std::min<int64_t>((wait + 999'999) / 1'000'000, 3'600'000));
}

void CurlLoop::Collect() {
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    const CURLcode code = message->data.result;
    char* owner = nullptr;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &owner);
    auto& transfer = *reinterpret_cast<CurlTransfer*>(owner);
    curl_multi_remove_handle(multi_, transfer.easy());
    Finish(transfer, transfer.Result(code));
  }
}

void CurlLoop::ExpireDeadlines() {
  const bool over = stop_due_ != INT64_MAX && stop_due_ <= MonotonicNanoseconds();
  while (over && !active_.empty()) End(*active_.begin()->second, HttpFailure::Reason::kStopped);
  if (deadlines_.empty()) return;
  const int64_t now = MonotonicNanoseconds();
  while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
    EndOrDetach(*deadlines_.begin()->second, HttpFailure::Reason::kDeadline);
  }
}

void CurlLoop::SetDue(CurlTransfer& transfer, int64_t due) {
  if (transfer.due != INT64_MAX) deadlines_.erase({transfer.due, &transfer});
  transfer.due = due;
  if (due != INT64_MAX) deadlines_.emplace(due, &transfer);
}

void CurlLoop::EndOrDetach(CurlTransfer& transfer, HttpFailure::Reason reason) {
  const bool settle_limit = transfer.detached && reason == HttpFailure::Reason::kDeadline;
  if (!transfer.must_finish() || settle_limit) {
    End(transfer, reason);
  } else if (!transfer.detached) {
    transfer.detached = true;
    SetDue(transfer, After(transfer.request().settle_limit));
    transfer.exchange()->OnDetached(reason);
  }
}

void CurlLoop::End(CurlTransfer& transfer, HttpFailure::Reason reason) {
  static constexpr const char* kMessages[] = {"cannot connect", "no answer in time", "canceled", "the connection broke",
                                              "the transport is stopping"};
  curl_multi_remove_handle(multi_, transfer.easy());
  Finish(transfer, HttpFailure{reason, transfer.written(), kMessages[static_cast<int>(reason)]});
}

void CurlLoop::Finish(CurlTransfer& transfer, HttpResult result) {
  if (transfer.due != INT64_MAX) deadlines_.erase({transfer.due, &transfer});
  const std::shared_ptr<HttpExchange> exchange = transfer.exchange();
  const auto found = active_.find(transfer.id());
  std::unique_ptr<CurlTransfer> freed = std::move(found->second);
  active_.erase(found);
  freed->Clear();
  if (pool_.size() < kPooledTransfers) pool_.push_back(std::move(freed));
  exchange->OnDone(std::move(result));
}

}  // namespace aulm::gateway
