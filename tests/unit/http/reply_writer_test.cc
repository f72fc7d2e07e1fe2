#include "service/http/reply_writer.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace aulm::gateway {
namespace {

using testing::HasSubstr;
using testing::Not;

std::string Head(const ServedReply& reply, ReplyForm form = {}) {
  form.date = "Sun, 06 Nov 1994 08:49:37 GMT";
  std::string head;
  AppendReplyHead(reply, form, head);
  return head;
}

TEST(ReplyWriterTest, WritesStatusLineAndFields) {
  ServedReply reply;
  reply.status = 429;
  reply.content_type = "application/json";
  reply.headers.emplace_back("retry-after", "5");
  reply.body = "{}";
  EXPECT_EQ(Head(reply),
            "HTTP/1.1 429 Too Many Requests\r\ndate: Sun, 06 Nov 1994 08:49:37 GMT\r\ncontent-length: 2\r\n"
            "content-type: application/json\r\nretry-after: 5\r\n\r\n");
}

TEST(ReplyWriterTest, EmptyBodyStillHasItsLength) { EXPECT_THAT(Head({}), HasSubstr("content-length: 0\r\n")); }

TEST(ReplyWriterTest, NoContentHasNoLength) {
  ServedReply reply;
  reply.status = 204;
  EXPECT_THAT(Head(reply), Not(HasSubstr("content-length")));
}

TEST(ReplyWriterTest, SaysThatTheConnectionEnds) {
  ReplyForm form;
  form.close = true;
  form.http_1_0 = true;
  EXPECT_THAT(Head({}, form), HasSubstr("connection: close\r\n"));
}

TEST(ReplyWriterTest, TellsHttp10ThatTheConnectionStays) {
  ReplyForm form;
  form.http_1_0 = true;
  EXPECT_THAT(Head({}, form), HasSubstr("connection: keep-alive\r\n"));
}

TEST(ReplyWriterTest, DateHasTheFormOfHttp) { EXPECT_EQ(HttpDate(784111777), "Sun, 06 Nov 1994 08:49:37 GMT"); }

}  // namespace
}  // namespace aulm::gateway
