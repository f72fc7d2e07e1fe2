#include "service/http/http_connection.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "service/http/reply_writer.h"

namespace aulm::gateway {
namespace {

using std::chrono::steady_clock;

constexpr size_t kDiscardBytes = 4 << 10;
constexpr size_t kMostHeadKept = 4 << 10;

// The server's own answers, in the form of the services'.
ServedReply RefusalReply(int status, absl::string_view code, absl::string_view message) {
  ServedReply reply;
  reply.status = status;
  reply.content_type = "application/json";
  reply.body = absl::StrCat(R"({"error":{"code":")", code, R"(","message":")", message, R"("}})");
  reply.close = true;
  return reply;
}

ServedReply ReplyTo(HttpRefusal refusal, const HttpLimits& limits) {
  switch (refusal) {
    case HttpRefusal::kHeaderTooLarge:
      return RefusalReply(431, "header_too_large",
                          absl::StrCat("the header is limited to ", limits.header_bytes, " bytes and ",
                                       limits.header_fields, " fields"));
    case HttpRefusal::kBodyTooLarge:
      return RefusalReply(413, "body_too_large", absl::StrCat("the body is limited to ", limits.body_bytes, " bytes"));
    case HttpRefusal::kBadExpectation:
      return RefusalReply(417, "bad_expectation", "send no Expect field other than 100-continue");
    case HttpRefusal::kAnswerTime:
      return RefusalReply(503, "no_answer_in_time", "the service took too long; send the request again");
    default:
      return RefusalReply(400, "broken_framing", "the request is no well-formed HTTP/1.1 message");
  }
}

}  // namespace

HttpConnection::HttpConnection(std::shared_ptr<HttpWorker> worker, Peer peer)
    : worker_(std::move(worker)), peer_(std::move(peer)), reader_(worker_->limits()) {
  reader_.request().remote_address = peer_.address;
}

void HttpConnection::Begin() {
  place_ = worker_->Enter(shared_from_this(), room_);
  deadline_ = steady_clock::now() + absl::ToChronoNanoseconds(worker_->limits().header_time);
  StartHandshake();
}

void HttpConnection::Enter(Phase phase, HttpWorker::Room room, absl::Duration limit) {
  phase_ = phase;
  deadline_ = steady_clock::now() + absl::ToChronoNanoseconds(limit);
  MoveTo(room);
}

void HttpConnection::MoveTo(HttpWorker::Room room) {
  if (room == room_) return;
  worker_->Move(place_, room_, room);
  room_ = room;
}

void HttpConnection::OnReady(const ErrorCode& error) {
  if (phase_ == Phase::kClosed) return;
  if (error) {
    worker_->service().OnRefused(HttpRefusal::kHandshake, peer_.address, "the TLS handshake failed");
    return Close();
  }
  // The header's time goes on from accept: a new connection that sends nothing is worth no more than a slow one.
  phase_ = Phase::kHeader;
  Advance();
}

void HttpConnection::OnRead(const ErrorCode& error, size_t bytes) {
  if (phase_ == Phase::kClosed) return;
  if (phase_ == Phase::kLingering) {
    if (error) return Close();
    return Discard();
  }
  if (error) {
    if (reader_.started()) {
      worker_->service().OnRefused(HttpRefusal::kUnfinished, peer_.address, "the peer ended the connection");
    }
    return Close();
  }
  reader_.Received(bytes);
  Advance();
}

void HttpConnection::Advance() {
  if (advancing_) return;  // called back from within a step: the loop below goes on with it
  advancing_ = true;
  while (Step()) {
  }
  advancing_ = false;
}

bool HttpConnection::Step() {
  switch (phase_) {
    case Phase::kIdle:
    case Phase::kHeader:
    case Phase::kBody:
      break;
    case Phase::kHandling: {
      if (!reply_.has_value()) return false;
      ServedReply reply = std::move(*reply_);
      reply_.reset();
      if (source_ != nullptr) return WritePiece(std::move(reply)) && AfterWriting();
      const bool close = reply.close || !reader_.keep_alive();
      return Write(std::move(reply), close) && AfterWriting();
    }
    case Phase::kHandshake:
    case Phase::kContinuing:
    case Phase::kWriting:
    case Phase::kLingering:
    case Phase::kClosed:
      return false;
  }
  if (phase_ != Phase::kBody && reader_.started() && reader_.request().arrived == steady_clock::time_point()) {
    reader_.request().arrived = steady_clock::now();
    if (phase_ == Phase::kIdle) Enter(Phase::kHeader, HttpWorker::Room::kWaiting, worker_->limits().header_time);
  }
  switch (reader_.Advance()) {
    case RequestReader::Progress::kNeedMore:
      CountBody();
      if (phase_ != Phase::kClosed) StartRead(reader_.Space());
      return false;
    case RequestReader::Progress::kHeader:
      return OnHeader();
    case RequestReader::Progress::kComplete:
      return OnRequest();
    case RequestReader::Progress::kRefused:
      return OnReaderRefusal();
  }
  return false;
}

bool HttpConnection::OnHeader() {
  std::optional<ServedReply> refusal = worker_->service().Admit(reader_.request());
  if (refusal.has_value()) {
    // What follows of the body would be read as the next request.
    const bool close = refusal->close || !reader_.keep_alive() || reader_.body_missing();
    return Write(*std::move(refusal), close) && AfterWriting();
  }
  if (!reader_.body_missing()) return true;
  if (!reader_.wants_continue()) {
    Enter(Phase::kBody, HttpWorker::Room::kWaiting, worker_->limits().body_time);
    return true;
  }
  Enter(Phase::kContinuing, HttpWorker::Room::kWaiting, worker_->limits().body_time);
  head_ = "HTTP/1.1 100 Continue\r\n\r\n";
  if (!StartWrite({boost::asio::buffer(head_), boost::asio::const_buffer()})) return false;
  if (phase_ == Phase::kClosed) return false;
  phase_ = Phase::kBody;
  return true;
}

bool HttpConnection::OnRequest() {
  Enter(Phase::kHandling, HttpWorker::Room::kBusy, worker_->limits().answer_time);
  CountBody();
  ++ticket_;
  worker_->service().Handle(reader_.request(), Reply(shared_from_this(), ticket_));
  return phase_ == Phase::kHandling;
}

bool HttpConnection::OnReaderRefusal() {
  CountBody();
  worker_->service().OnRefused(reader_.refusal(), peer_.address, reader_.detail());
  return Write(ReplyTo(reader_.refusal(), worker_->limits()), true) && AfterWriting();
}

void HttpConnection::Deliver(uint64_t ticket, ServedReply reply) {
  worker_->Deliver(shared_from_this(), ticket, std::move(reply));
}

void HttpConnection::OnReply(uint64_t ticket, ServedReply reply) {
  if (phase_ != Phase::kHandling || ticket != ticket_ || reply_.has_value()) return;
  reply_ = std::move(reply);
  Advance();
}

bool HttpConnection::Write(ServedReply reply, bool close) {
  close_after_writing_ = close || reply.source != nullptr || worker_->draining();
  ReplyForm form;
  form.close = close_after_writing_;
  form.http_1_0 = reader_.is_http_1_0();
  form.date = worker_->Date();
  if (head_.capacity() > kMostHeadKept) head_ = std::string();
  head_.clear();
  AppendReplyHead(reply, form, head_);
  // The answer to HEAD is the header alone, with the length that the body would have.
  const bool head_alone = reader_.request().method == "HEAD";
  body_ = head_alone ? std::string() : std::move(reply.body);
  if (!head_alone) source_ = std::move(reply.source);
  Enter(Phase::kWriting, HttpWorker::Room::kBusy, worker_->limits().write_time);
  if (StartWrite({boost::asio::buffer(head_), boost::asio::buffer(body_)})) return true;
  if (phase_ == Phase::kWriting) MoveTo(HttpWorker::Room::kWaiting);  // the kernel has no room for all of it
  return false;
}

bool HttpConnection::WritePiece(ServedReply piece) {
  body_ = piece.status == 200 ? std::move(piece.body) : std::string();
  if (piece.close || body_.empty()) source_.reset();
  Enter(Phase::kWriting, HttpWorker::Room::kBusy, worker_->limits().write_time);
  return StartWrite({boost::asio::buffer(body_), boost::asio::const_buffer()});
}

void HttpConnection::WatchPeer() {
  if (std::exchange(watching_peer_, true)) return;
  socket().async_wait(boost::asio::socket_base::wait_read, [self = shared_from_this()](const ErrorCode&) {
    if (self->phase_ == Phase::kClosed) return;
    char byte;
    ErrorCode error;
    self->socket().receive(boost::asio::buffer(&byte, 1), boost::asio::socket_base::message_peek, error);
    if (error && error != boost::asio::error::would_block) self->Close();
  });
}

bool HttpConnection::AskForPiece() {
  WatchPeer();
  Enter(Phase::kHandling, HttpWorker::Room::kBusy, worker_->limits().answer_time);
  ++ticket_;
  const std::shared_ptr<ReplySource> source = source_;  // it may end the connection
  source->Next(Reply(shared_from_this(), ticket_));
  return phase_ == Phase::kHandling;
}

void HttpConnection::OnWritten(const ErrorCode& error) {
  if (phase_ == Phase::kClosed) return;
  if (error) return Close();
  if (phase_ == Phase::kContinuing) {
    phase_ = Phase::kBody;
  } else if (!AfterWriting()) {
    return;
  }
  Advance();
}

bool HttpConnection::AfterWriting() {
  if (phase_ == Phase::kClosed) return false;
  if (source_ != nullptr && !worker_->draining()) return AskForPiece();
  if (close_after_writing_ || worker_->draining()) {
    Enter(Phase::kLingering, HttpWorker::Room::kIdle, worker_->limits().linger_time);
    StartGoodbye();
    return false;
  }
  reader_.Next();
  reader_.request().arrived = {};
  Enter(Phase::kIdle, HttpWorker::Room::kIdle, worker_->limits().idle_time);
  return true;
}

void HttpConnection::OnGoodbye() {
  if (phase_ != Phase::kLingering) return;
  discarded_.reset(new char[kDiscardBytes]);
  Discard();
}

// Below any TLS: what comes is not looked at.
void HttpConnection::Discard() {
  socket().async_read_some(
      boost::asio::buffer(discarded_.get(), kDiscardBytes),
      [self = shared_from_this()](const ErrorCode& error, size_t bytes) { self->OnRead(error, bytes); });
}

void HttpConnection::CountBody() {
  const int64_t bytes = static_cast<int64_t>(reader_.incomplete_body_bytes());
  if (bytes == counted_bytes_) return;
  const int64_t change = bytes - counted_bytes_;
  counted_bytes_ = bytes;
  worker_->CountIncompleteBytes(change);
}

void HttpConnection::CheckTime(steady_clock::time_point now) {
  if (now < deadline_) return;
  HttpService& service = worker_->service();
  switch (phase_) {
    case Phase::kHandshake:
    case Phase::kHeader:
      service.OnRefused(HttpRefusal::kHeaderTime, peer_.address, "the header took too long");
      return Close();
    case Phase::kContinuing:
    case Phase::kBody:
      service.OnRefused(HttpRefusal::kBodyTime, peer_.address, "the body took too long");
      return Close();
    case Phase::kHandling:
      service.OnRefused(HttpRefusal::kAnswerTime, peer_.address, "the service took too long");
      if (source_ != nullptr) return Close();  // the status line has long gone out
      ++ticket_;                               // its reply, should it come, finds nobody
      reply_ = ReplyTo(HttpRefusal::kAnswerTime, worker_->limits());
      return Advance();
    case Phase::kWriting:
      service.OnRefused(HttpRefusal::kWriteTime, peer_.address, "the answer was not taken in time");
      return Close();
    case Phase::kIdle:
    case Phase::kLingering:
      return Close();
    case Phase::kClosed:
      return;
  }
}

void HttpConnection::Displace() {
  if (phase_ != Phase::kIdle && phase_ != Phase::kLingering) {
    worker_->service().OnRefused(HttpRefusal::kDisplaced, peer_.address, "gave way to a newer connection");
  }
  Close();
}

void HttpConnection::Drain() {
  const bool between_requests =
      phase_ == Phase::kIdle || phase_ == Phase::kHandshake || (phase_ == Phase::kHeader && !reader_.started());
  // A streamed answer has no end of its own to wait for.
  if (between_requests || source_ != nullptr) Close();
}

void HttpConnection::Close() {
  if (phase_ == Phase::kClosed) return;
  const std::shared_ptr<HttpConnection> self = shared_from_this();  // the room may hold the last reference
  phase_ = Phase::kClosed;
  source_.reset();
  ErrorCode ignored;
  socket().close(ignored);
  worker_->CountIncompleteBytes(-std::exchange(counted_bytes_, 0));
  worker_->Leave(place_, room_, peer_.origin);
}

}  // namespace aulm::gateway
