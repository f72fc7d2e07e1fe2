// Answers that go on: pieces at the pace at which the peer takes them, and every way in which they end.
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "gtest/gtest.h"
#include "service/http/http_server.h"
#include "tests/integration/webhook/scripted_http_service.h"
#include "tests/support/raw_http_client.h"

namespace aulm::gateway {
namespace {

// What the pieces of one answer are to be, and what became of it.
struct Course {
  absl::Mutex mutex;
  int asked ABSL_GUARDED_BY(mutex) = 0;
  bool over ABSL_GUARDED_BY(mutex) = false;
  std::optional<Reply> waiting ABSL_GUARDED_BY(mutex);

  void AwaitOver() {
    absl::MutexLock lock(&mutex);
    mutex.Await(absl::Condition(&over));
  }
  Reply AwaitAsked() {
    absl::MutexLock lock(&mutex);
    const auto asked_for = [this]() ABSL_SHARED_LOCKS_REQUIRED(mutex) { return waiting.has_value(); };
    mutex.Await(absl::Condition(&asked_for));
    Reply reply = *std::move(waiting);
    waiting.reset();
    return reply;
  }
};

// Leaves every piece to the test, or gives as many large ones as are asked for.
class ScriptedSource final : public ReplySource {
 public:
  ScriptedSource(std::shared_ptr<Course> course, bool endless) : course_(std::move(course)), endless_(endless) {}
  ~ScriptedSource() override {
    absl::MutexLock lock(&course_->mutex);
    course_->over = true;
  }

  void Next(Reply next) override {
    {
      absl::MutexLock lock(&course_->mutex);
      ++course_->asked;
      if (!endless_) course_->waiting.emplace(std::move(next));
    }
    if (endless_) std::move(next).Send({.body = std::string(1 << 20, 'x')});
  }

 private:
  const std::shared_ptr<Course> course_;
  const bool endless_;
};

// Streams to /pieces and /endless.
class StreamingService final : public HttpService {
 public:
  void Handle(ServedRequest& request, Reply reply) override {
    ServedReply answer;
    answer.content_type = "text/event-stream";
    answer.body = "first\n";
    answer.source = std::make_shared<ScriptedSource>(course, request.path == "/endless");
    std::move(reply).Send(std::move(answer));
  }

  const std::shared_ptr<Course> course = std::make_shared<Course>();
};

constexpr absl::string_view kGet = "GET /pieces HTTP/1.1\r\nHost: a\r\n\r\n";

TEST(HttpStreamsTest, PiecesComeAsTheyAreSentAndTheConnectionsEndIsTheAnswers) {
  StreamingService service;
  const auto server = StartServer(service);
  RawHttpClient client(server->address());
  client.Send(kGet);
  const RawReply head = client.ReadReply(/*head_only=*/true);
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.Header("content-length"), "");
  EXPECT_EQ(head.Header("connection"), "close");
  EXPECT_EQ(client.ReadExactly(6), "first\n");
  service.course->AwaitAsked().Send({.body = "second\n"});
  EXPECT_EQ(client.ReadExactly(7), "second\n");
  service.course->AwaitAsked().Send({.body = "last\n", .close = true});
  EXPECT_EQ(client.ReadExactly(5), "last\n");
  EXPECT_TRUE(client.ReadsEnd());
  service.course->AwaitOver();
}

TEST(HttpStreamsTest, APieceThatNobodySendsEndsTheAnswer) {
  StreamingService service;
  const auto server = StartServer(service);
  RawHttpClient client(server->address());
  client.Send(kGet);
  client.ReadReply(/*head_only=*/true);
  EXPECT_EQ(client.ReadExactly(6), "first\n");
  {
    const Reply forgotten = service.course->AwaitAsked();
  }
  EXPECT_TRUE(client.ReadsEnd());
  service.course->AwaitOver();
}

TEST(HttpStreamsTest, ASlowReaderHoldsItsSourceBackAndIsClosedInTime) {
  StreamingService service;
  HttpServerOptions options;
  options.limits.write_time = absl::Milliseconds(80);
  const auto server = StartServer(service, options);
  RawHttpClient client(server->address(), /*receive_buffer=*/4096);
  client.Send("GET /endless HTTP/1.1\r\nHost: a\r\n\r\n");
  service.course->AwaitOver();
  absl::MutexLock lock(&service.course->mutex);
  EXPECT_LT(service.course->asked, 64) << "pieces of a MiB that nobody read";
}

TEST(HttpStreamsTest, ASourceThatFallsSilentLosesItsConnection) {
  StreamingService service;
  HttpServerOptions options;
  options.limits.answer_time = absl::Milliseconds(80);
  const auto server = StartServer(service, options);
  RawHttpClient client(server->address());
  client.Send(kGet);
  client.ReadReply(/*head_only=*/true);
  EXPECT_EQ(client.ReadExactly(6), "first\n");
  EXPECT_TRUE(client.ReadsEnd());
  service.course->AwaitOver();
}

TEST(HttpStreamsTest, APeerThatLeavesEndsTheAnswer) {
  StreamingService service;
  const auto server = StartServer(service);
  {
    RawHttpClient client(server->address());
    client.Send("GET /endless HTTP/1.1\r\nHost: a\r\n\r\n");
    client.ReadReply(/*head_only=*/true);
  }
  service.course->AwaitOver();
}

TEST(HttpStreamsTest, APeerThatLeavesWhileItWaitsEndsTheAnswer) {
  StreamingService service;
  const auto server = StartServer(service);
  {
    RawHttpClient client(server->address());
    client.Send(kGet);
    client.ReadReply(/*head_only=*/true);
    EXPECT_EQ(client.ReadExactly(6), "first\n");
  }
  service.course->AwaitOver();
}

TEST(HttpStreamsTest, HeadGetsTheHeaderAlone) {
  StreamingService service;
  const auto server = StartServer(service);
  RawHttpClient client(server->address());
  client.Send("HEAD /pieces HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(client.ReadReply(/*head_only=*/true).status, 200);
  EXPECT_TRUE(client.ReadsEnd());
  service.course->AwaitOver();
}

TEST(HttpStreamsTest, StoppingTheServerEndsTheAnswerAtOnce) {
  StreamingService service;
  const auto server = StartServer(service);
  RawHttpClient client(server->address());
  client.Send(kGet);
  client.ReadReply(/*head_only=*/true);
  EXPECT_EQ(client.ReadExactly(6), "first\n");
  Reply waiting = service.course->AwaitAsked();
  server->Stop(absl::InfiniteDuration());
  EXPECT_TRUE(client.ReadsEnd());
  std::move(waiting).Send({.body = "too late"});
}

}  // namespace
}  // namespace aulm::gateway
