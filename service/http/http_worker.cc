#include "service/http/http_worker.h"

#include <algorithm>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>
#include <utility>

#include "service/http/http_connection.h"
#include "service/http/origin.h"
#include "service/http/reply_writer.h"
#include "service/http/tcp_connection.h"
#include "service/http/tls_connection.h"

namespace aulm::gateway {
namespace {

// Limits of time are kept to about a tenth of the shortest.
std::chrono::steady_clock::duration SweepInterval(const HttpLimits& limits) {
  const absl::Duration shortest = std::min({limits.header_time, limits.body_time, limits.answer_time, limits.write_time,
                                            limits.idle_time, limits.linger_time});
  return absl::ToChronoMilliseconds(std::clamp(shortest / 10, absl::Milliseconds(5), absl::Milliseconds(250)));
}

// Where this part of the places or less waits for its peer, what fills the others is our own slowness: then whoever
// comes is one too many, and to send away those who have just come would only keep their requests from arriving.
constexpr size_t kFewWaiting = 8;

// The worker whose thread this is; null on all other threads.
thread_local const HttpWorker* t_worker = nullptr;

}  // namespace

HttpWorker::HttpWorker(const HttpLimits& limits, size_t most_connections, HttpService* service)
    : limits_(limits),
      most_connections_(most_connections),
      service_(service),
      sweep_interval_(SweepInterval(limits)),
      work_(io_.get_executor()),
      sweep_timer_(io_),
      grace_timer_(io_) {}

HttpWorker::~HttpWorker() { Join(); }

void HttpWorker::Start() {
  thread_ = std::thread([this] {
    t_worker = this;
    io_.run();
  });
}

void HttpWorker::Drain(absl::Duration grace) {
  boost::asio::post(io_, [this, grace] { DrainHere(grace); });
}

void HttpWorker::Join() {
  if (!thread_.joinable()) return;
  thread_.join();
  std::vector<Delivery> dropped;  // destroyed outside the lock: a delivery may hold a connection's last reference
  absl::MutexLock lock(&mutex_);
  ended_ = true;
  dropped.swap(deliveries_);
}

void HttpWorker::Adopt(boost::asio::ip::tcp::socket socket, std::shared_ptr<boost::asio::ssl::context> tls) {
  open_.fetch_add(1, std::memory_order_relaxed);
  boost::asio::dispatch(io_, [this, socket = std::move(socket), tls = std::move(tls)]() mutable {
    AdoptHere(std::move(socket), std::move(tls));
  });
}

void HttpWorker::AdoptHere(boost::asio::ip::tcp::socket socket, std::shared_ptr<boost::asio::ssl::context> tls) {
  service_->OnConnections(1);
  const auto give_up = [this] {
    open_.fetch_sub(1, std::memory_order_relaxed);
    service_->OnConnections(-1);
  };
  boost::system::error_code error;
  const auto remote = socket.remote_endpoint(error);
  if (error || draining_) return give_up();  // gone already
  const std::string address =
      remote.address().is_v6() ? "[" + remote.address().to_string() + "]" : remote.address().to_string();
  HttpConnection::Peer peer{address + ":" + std::to_string(remote.port()), OriginOf(remote.address())};
  if (!MakeRoom(peer.origin, peer.address)) return give_up();
  socket.non_blocking(true, error);
  socket.set_option(boost::asio::ip::tcp::no_delay(true), error);
  std::shared_ptr<HttpConnection> connection;
  if (tls != nullptr) {
    connection = std::make_shared<TlsConnection>(shared_from_this(), std::move(socket), std::move(tls), peer);
  } else {
    connection = std::make_shared<TcpConnection>(shared_from_this(), std::move(socket), peer);
  }
  ++origins_[peer.origin];
  connection->Begin();
  if (!sweeping_) ScheduleSweep();
}

bool HttpWorker::MakeRoom(const std::string& origin, absl::string_view remote_address) {
  const auto of_origin = origins_.find(origin);
  if (of_origin != origins_.end() && of_origin->second >= limits_.connections_per_address &&
      !Displace(&origin, limits_.connections_per_address)) {
    service_->OnRefused(HttpRefusal::kAddressLimit, remote_address, "every connection of the address is busy");
    return false;
  }
  const size_t held = rooms_[0].size() + rooms_[1].size() + rooms_[2].size();
  if (held >= most_connections_ && !Displace(nullptr, most_connections_)) {
    service_->OnRefused(HttpRefusal::kConnectionLimit, remote_address, "every connection is busy");
    return false;
  }
  return true;
}

bool HttpWorker::Displace(const std::string* origin, size_t limit) {
  for (const Room room : {Room::kIdle, Room::kWaiting}) {
    const size_t stay = room == Room::kWaiting ? limit / kFewWaiting : 0;
    std::shared_ptr<HttpConnection> oldest;
    size_t found = 0;
    for (const std::shared_ptr<HttpConnection>& connection : List(room)) {
      if (origin != nullptr && connection->origin() != *origin) continue;
      if (oldest == nullptr) oldest = connection;
      if (++found > stay) break;
    }
    if (found <= stay) continue;
    oldest->Displace();
    return true;
  }
  return false;
}

HttpWorker::Place HttpWorker::Enter(std::shared_ptr<HttpConnection> connection, Room room) {
  return List(room).insert(List(room).end(), std::move(connection));
}

void HttpWorker::Move(Place place, Room from, Room to) { List(to).splice(List(to).end(), List(from), place); }

void HttpWorker::Leave(Place place, Room room, const std::string& origin) {
  List(room).erase(place);
  if (const auto found = origins_.find(origin); --found->second == 0) origins_.erase(found);
  open_.fetch_sub(1, std::memory_order_relaxed);
  service_->OnConnections(-1);
  if (draining_ && rooms_[0].empty() && rooms_[1].empty() && rooms_[2].empty()) {
    sweep_timer_.cancel();
    grace_timer_.cancel();
    work_.reset();
  }
}

void HttpWorker::CountIncompleteBytes(int64_t change) {
  incomplete_bytes_ += change;
  if (change <= 0) return;
  const auto& waiting = List(Room::kWaiting);
  while (incomplete_bytes_ > static_cast<int64_t>(limits_.incomplete_body_bytes)) {
    // Only those that hold bytes: sending away the others would free nothing.
    const auto oldest = std::find_if(waiting.begin(), waiting.end(),
                                     [](const auto& connection) { return connection->incomplete_bytes() > 0; });
    if (oldest == waiting.end()) return;
    // A copy, since it leaves the list meanwhile. NOLINTNEXTLINE(performance-unnecessary-copy-initialization)
    const std::shared_ptr<HttpConnection> displaced = *oldest;
    displaced->Displace();
  }
}

void HttpWorker::Deliver(std::shared_ptr<HttpConnection> connection, uint64_t ticket, ServedReply reply) {
  if (t_worker == this) return connection->OnReply(ticket, std::move(reply));
  {
    absl::MutexLock lock(&mutex_);
    if (ended_) return;
    deliveries_.push_back({std::move(connection), ticket, std::move(reply)});
    if (deliveries_.size() > 1) return;  // whoever came first has called
  }
  boost::asio::post(io_, [this] { BringDeliveries(); });
}

void HttpWorker::BringDeliveries() {
  {
    absl::MutexLock lock(&mutex_);
    arriving_.swap(deliveries_);
  }
  for (Delivery& delivery : arriving_) delivery.connection->OnReply(delivery.ticket, std::move(delivery.reply));
  arriving_.clear();
}

void HttpWorker::ForEach(void (*call)(HttpConnection&, std::chrono::steady_clock::time_point)) {
  const auto now = std::chrono::steady_clock::now();
  for (const Room room : {Room::kIdle, Room::kWaiting, Room::kBusy}) {
    for (auto place = List(room).begin(); place != List(room).end();) {
      const std::shared_ptr<HttpConnection> connection = *place;
      ++place;  // the call may take the connection off this list
      call(*connection, now);
    }
  }
}

void HttpWorker::Sweep() {
  ForEach([](HttpConnection& connection, std::chrono::steady_clock::time_point now) { connection.CheckTime(now); });
}

void HttpWorker::ScheduleSweep() {
  sweeping_ = true;
  sweep_timer_.expires_after(sweep_interval_);
  sweep_timer_.async_wait([this](const boost::system::error_code& error) {
    sweeping_ = false;
    if (error) return;
    Sweep();
    // Without connections there is nothing to look after, and no reason to wake up.
    if (!rooms_[0].empty() || !rooms_[1].empty() || !rooms_[2].empty()) ScheduleSweep();
  });
}

void HttpWorker::DrainHere(absl::Duration grace) {
  if (draining_) return;
  draining_ = true;
  ForEach([](HttpConnection& connection, std::chrono::steady_clock::time_point) { connection.Drain(); });
  if (rooms_[0].empty() && rooms_[1].empty() && rooms_[2].empty()) {
    sweep_timer_.cancel();
    work_.reset();
    return;
  }
  grace_timer_.expires_after(absl::ToChronoMilliseconds(grace));
  grace_timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) CloseAll();
  });
}

void HttpWorker::CloseAll() {
  ForEach([](HttpConnection& connection, std::chrono::steady_clock::time_point) { connection.Close(); });
}

absl::string_view HttpWorker::Date() {
  const std::time_t now = std::time(nullptr);
  if (now != date_time_) {
    date_time_ = now;
    date_ = HttpDate(now);
  }
  return date_;
}

}  // namespace aulm::gateway
