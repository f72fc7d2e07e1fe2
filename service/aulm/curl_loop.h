#pragma once

#include <curl/curl.h>

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "service/aulm/curl_transfer.h"
#include "service/aulm/curl_transport.h"
#include "service/aulm/http_transport.h"
#include "service/aulm/socket_poller.h"

namespace aulm::gateway {

// What CurlTransport's thread runs: curl_multi fed by epoll, the exchanges under way and their deadlines. Belongs to
// that thread; only poller().Wake() may be called from others.
class CurlLoop {
 public:
  CurlLoop(const CurlTransportOptions& options, AulmMetrics& metrics);
  ~CurlLoop();

  CurlLoop(const CurlLoop&) = delete;
  CurlLoop& operator=(const CurlLoop&) = delete;

  SocketPoller& poller() { return poller_; }

  void Start(HttpTransport::ExchangeId id, HttpRequest request, std::shared_ptr<HttpExchange> exchange);
  void Cancel(HttpTransport::ExchangeId id);
  // Ends what makes no doubt; what is written has `grace` left. Start fails from here on.
  void Stop(absl::Duration grace);
  bool idle() const { return active_.empty(); }

  // Handles what is due and what the sockets have; waits for the first of it when `may_wait`.
  void Turn(bool may_wait);

 private:
  static int OnSocket(CURL* easy, curl_socket_t socket, int what, void* self, void* known);
  // Each socket that libcurl opens and closes for a connection.
  static int OnSocketOpened(void* self, curl_socket_t socket, curlsocktype purpose);
  static int OnSocketClosed(void* self, curl_socket_t socket);
  static int OnTimer(CURLM* multi, long timeout_ms, void* self);

  int WaitMilliseconds() const;
  // Hands over what libcurl has finished.
  void Collect();
  // Ends or detaches whatever has run out of time.
  void ExpireDeadlines();
  void SetDue(CurlTransfer& transfer, int64_t due);
  // The caller is to have its answer: detaches a written send, ends anything else.
  void EndOrDetach(CurlTransfer& transfer, HttpFailure::Reason reason);
  void End(CurlTransfer& transfer, HttpFailure::Reason reason);
  // Takes the transfer out of curl_multi and of the tables, back into the pool, and reports.
  void Finish(CurlTransfer& transfer, HttpResult result);

  const CurlTransportOptions options_;
  AulmMetrics& metrics_;
  SocketPoller poller_;
  CURLM* const multi_;
  // When libcurl wants to be called though no socket is ready.
  int64_t curl_due_ = INT64_MAX;
  // When what is still under way is ended; INT64_MAX while not stopping.
  int64_t stop_due_ = INT64_MAX;
  bool stopping_ = false;

  absl::flat_hash_map<HttpTransport::ExchangeId, std::unique_ptr<CurlTransfer>> active_;
  absl::btree_set<std::pair<int64_t, CurlTransfer*>> deadlines_;
  std::vector<std::unique_ptr<CurlTransfer>> pool_;
};

}  // namespace aulm::gateway
