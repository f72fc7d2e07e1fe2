#pragma once

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/time/time.h"
#include "absl/types/span.h"
#include "service/http/http_service.h"
#include "service/http/http_worker.h"
#include "service/http/request_reader.h"

namespace aulm::gateway {

// One connection's course: read a request, have it handled, write the answer, begin again; and the times that each part
// may take. TcpConnection and TlsConnection move the bytes. Lives on its worker's thread, where everything but Deliver
// is called. Internal to service/http.
class HttpConnection : public ReplyTarget, public std::enable_shared_from_this<HttpConnection> {
 public:
  struct Peer {
    std::string address;  // "192.0.2.1:41234"
    std::string origin;   // what counts as one address: the worker's word
  };

  // Enters the worker's rooms and starts reading.
  void Begin();

  // ReplyTarget, from any thread.
  void Deliver(uint64_t ticket, ServedReply reply) override;

  void OnReply(uint64_t ticket, ServedReply reply);

  // Ends the connection when what it is doing has taken longer than its limit.
  void CheckTime(std::chrono::steady_clock::time_point now);

  // Bytes held of a body that is not complete.
  int64_t incomplete_bytes() const { return counted_bytes_; }

  // Whose connection it is: counts against the limit of one address.
  const std::string& origin() const { return peer_.origin; }

  // Gives way to another connection.
  void Displace();

  // No request after the present one; ends at once when there is none.
  void Drain();

  // Ends at once. Nothing but destruction follows.
  void Close();

 protected:
  using ErrorCode = boost::system::error_code;
  using Buffers = std::array<boost::asio::const_buffer, 2>;

  HttpConnection(std::shared_ptr<HttpWorker> worker, Peer peer);

  virtual boost::asio::ip::tcp::socket& socket() = 0;
  // Ends with OnReady.
  virtual void StartHandshake() = 0;
  // Reads what is there, at least a byte, into `space`; ends with OnRead.
  virtual void StartRead(absl::Span<char> space) = 0;
  // Writes all of `buffers`: true when that is done; else it ends with OnWritten, and the buffers stay until then.
  virtual bool StartWrite(const Buffers& buffers) = 0;
  // Says that no bytes follow; ends with OnGoodbye.
  virtual void StartGoodbye() = 0;

  void OnReady(const ErrorCode& error);
  void OnRead(const ErrorCode& error, size_t bytes);
  void OnWritten(const ErrorCode& error);
  void OnGoodbye();

  template <typename Derived>
  std::shared_ptr<Derived> Self() {
    return std::static_pointer_cast<Derived>(shared_from_this());
  }

 private:
  enum class Phase {
    kHandshake,
    kIdle,  // waits for a request's first byte
    kHeader,
    kContinuing,  // writes "100 Continue"
    kBody,
    kHandling,  // the service has the request, or the source of a streamed answer is to give its next piece
    kWriting,
    kLingering,  // drops what the peer still sends
    kClosed,
  };

  void Enter(Phase phase, HttpWorker::Room room, absl::Duration limit);
  void MoveTo(HttpWorker::Room room);
  // Goes as far as it can without waiting for anybody.
  void Advance();
  // One step; false when somebody must be waited for.
  bool Step();
  bool OnHeader();
  bool OnRequest();
  bool OnReaderRefusal();
  // Starts to write the answer; true when it is written already.
  bool Write(ServedReply reply, bool close);
  // Starts to write a piece of a streamed answer; true when it is written already.
  bool WritePiece(ServedReply piece);
  // Asks the source for a piece; true when it is there already.
  bool AskForPiece();
  // Closes once the peer of a streamed answer goes away, as far as that shows below any TLS; else a write fails later.
  void WatchPeer();
  // What follows a written answer; true when there is a next request to look for.
  bool AfterWriting();
  void Discard();
  void CountBody();

  const std::shared_ptr<HttpWorker> worker_;
  const Peer peer_;
  RequestReader reader_;
  Phase phase_ = Phase::kHandshake;
  HttpWorker::Room room_ = HttpWorker::Room::kWaiting;
  HttpWorker::Place place_;
  bool advancing_ = false;
  bool close_after_writing_ = false;
  uint64_t ticket_ = 0;  // of the request being handled
  std::optional<ServedReply> reply_;
  std::shared_ptr<ReplySource> source_;  // of the streamed answer being written
  bool watching_peer_ = false;
  std::chrono::steady_clock::time_point deadline_;
  int64_t counted_bytes_ = 0;
  std::string head_;  // of the answer being written
  std::string body_;
  std::unique_ptr<char[]> discarded_;
};

}  // namespace aulm::gateway
