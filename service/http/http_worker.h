#pragma once

#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <list>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "service/http/http_limits.h"
#include "service/http/http_service.h"

namespace aulm::gateway {

class HttpConnection;

// One thread of an HttpServer and the connections that live on it: keeps them within the limits, ends those whose time
// is over, and brings them the replies that come from other threads. Internal to service/http.
class HttpWorker : public std::enable_shared_from_this<HttpWorker> {
 public:
  // What a connection is doing, as far as it matters when room is short.
  enum class Room {
    kIdle,     // between requests, or after the last answer: goes first
    kWaiting,  // waits for the peer to go on with a request or to take an answer: goes next, the longest first, unless
               // few do
    kBusy,     // a request is being answered: stays
  };
  using Place = std::list<std::shared_ptr<HttpConnection>>::iterator;

  // `limits` and `service` must outlive the worker's thread; at most `most_connections` are open at a time.
  HttpWorker(const HttpLimits& limits, size_t most_connections, HttpService* service);
  ~HttpWorker();

  // Starts the thread.
  void Start();

  // Ends every connection as HttpServer::Stop tells, then the thread. Thread-safe, does not wait.
  void Drain(absl::Duration grace);

  // Waits for the thread's end.
  void Join();

  boost::asio::io_context& io() { return io_; }

  // Connections that are open or on their way here. Thread-safe.
  size_t open() const { return open_.load(std::memory_order_relaxed); }

  // Takes a connection over; with a context, it speaks TLS. Thread-safe.
  void Adopt(boost::asio::ip::tcp::socket socket, std::shared_ptr<boost::asio::ssl::context> tls);

  // Brings a reply to a connection of this worker. Thread-safe; replies that come together share one wake-up.
  void Deliver(std::shared_ptr<HttpConnection> connection, uint64_t ticket, ServedReply reply)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // The rest is for the connections, on the worker's thread.

  const HttpLimits& limits() const { return limits_; }
  HttpService& service() { return *service_; }
  bool draining() const { return draining_; }
  Place Enter(std::shared_ptr<HttpConnection> connection, Room room);
  void Move(Place place, Room from, Room to);
  void Leave(Place place, Room room, const std::string& origin);

  // The bytes of incomplete bodies change by so much; over the limit, the oldest of the requests that
  // hold some give way.
  void CountIncompleteBytes(int64_t change);

  // The Date field's value now.
  absl::string_view Date();

 private:
  struct Delivery {
    std::shared_ptr<HttpConnection> connection;
    uint64_t ticket;
    ServedReply reply;
  };

  void AdoptHere(boost::asio::ip::tcp::socket socket, std::shared_ptr<boost::asio::ssl::context> tls);
  // Makes room for one more connection, of that origin; false when nobody can give way, which was told.
  bool MakeRoom(const std::string& origin, absl::string_view remote_address);
  // Ends the connection that gives way to others, among those of `origin` (null: among all), of which there may be
  // `limit`; false when there is none.
  bool Displace(const std::string* origin, size_t limit);
  void DrainHere(absl::Duration grace);
  void CloseAll();
  void BringDeliveries() ABSL_LOCKS_EXCLUDED(mutex_);
  void Sweep();
  void ScheduleSweep();
  std::list<std::shared_ptr<HttpConnection>>& List(Room room) { return rooms_[static_cast<size_t>(room)]; }
  void ForEach(void (*call)(HttpConnection&, std::chrono::steady_clock::time_point));

  const HttpLimits limits_;
  const size_t most_connections_;
  HttpService* const service_;
  const std::chrono::steady_clock::duration sweep_interval_;

  boost::asio::io_context io_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  std::atomic<size_t> open_{0};

  // Of the worker's thread.
  std::list<std::shared_ptr<HttpConnection>> rooms_[3];
  absl::flat_hash_map<std::string, size_t> origins_;  // connections of each
  boost::asio::steady_timer sweep_timer_;
  boost::asio::steady_timer grace_timer_;
  bool sweeping_ = false;
  bool draining_ = false;
  int64_t incomplete_bytes_ = 0;
  std::time_t date_time_ = 0;
  std::string date_;

  absl::Mutex mutex_;
  std::vector<Delivery> deliveries_ ABSL_GUARDED_BY(mutex_);
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;

  std::vector<Delivery> arriving_;  // of the worker's thread: keeps its memory between rounds
  std::thread thread_;
};

}  // namespace aulm::gateway
