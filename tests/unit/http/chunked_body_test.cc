#include "service/http/chunked_body.h"

#include <string>

#include "absl/strings/string_view.h"
#include "gtest/gtest.h"

namespace aulm::gateway {
namespace {

using Progress = ChunkedBody::Progress;

Progress ReadWhole(absl::string_view bytes, std::string& body) {
  ChunkedBody chunks(body, 100, 2);
  return chunks.Read(bytes);
}

TEST(ChunkedBodyTest, JoinsChunks) {
  std::string body;
  EXPECT_EQ(ReadWhole("5\r\nhello\r\nA\r\n, chunked!\r\n0\r\n\r\n", body), Progress::kComplete);
  EXPECT_EQ(body, "hello, chunked!");
}

TEST(ChunkedBodyTest, EmptyBodyThatComesByteByByteIsRead) {
  std::string body;
  ChunkedBody chunks(body, 100, 2);
  for (const char byte : absl::string_view("0\r\n\r")) {
    absl::string_view one(&byte, 1);
    ASSERT_EQ(chunks.Read(one), Progress::kNeedMore);
    ASSERT_TRUE(one.empty());
  }
  absl::string_view last = "\n";
  EXPECT_EQ(chunks.Read(last), Progress::kComplete);
}

TEST(ChunkedBodyTest, LeavesWhatFollowsTheBody) {
  std::string body;
  ChunkedBody chunks(body, 100, 2);
  absl::string_view bytes = "1\r\nx\r\n0\r\n\r\nGET /";
  EXPECT_EQ(chunks.Read(bytes), Progress::kComplete);
  EXPECT_EQ(bytes, "GET /");
}

TEST(ChunkedBodyTest, ExtensionsAndTrailersAreReadPast) {
  std::string body;
  EXPECT_EQ(ReadWhole("1;a=b;c=\"d\"\r\nx\r\n0;e\r\nExpires: never\r\nEtag:\r\n\r\n", body), Progress::kComplete);
  EXPECT_EQ(body, "x");
}

TEST(ChunkedBodyTest, BodyOfTheWholeLimitIsTakenAndAByteMoreIsNot) {
  std::string body;
  EXPECT_EQ(ReadWhole("64\r\n" + std::string(100, 'x') + "\r\n0\r\n\r\n", body), Progress::kComplete);
  EXPECT_EQ(ReadWhole("63\r\n" + std::string(99, 'x') + "\r\n2\r\nxx\r\n0\r\n\r\n", body), Progress::kTooLarge);
}

TEST(ChunkedBodyTest, BrokenChunksAreRefusedAtOnce) {
  for (const absl::string_view bytes :
       {"\n", "g\r", "3\n", "3 \r", "+3\r", "1\r\nxy", "1\r\nx\n", "1\r\nx\rx", "00000000000000000", "1;\x01", ";a",
        "0\r\nno field\r\n", "0\r\n: y\r\n", "0\r\n folded: y\r\n", "0\r\nHost: y\r\n", "0\r\nx: \x7f",
        "0\r\na:\r\nb:\r\nc:\r\n"}) {
    std::string body;
    EXPECT_EQ(ReadWhole(bytes, body), Progress::kBroken) << bytes;
  }
}

}  // namespace
}  // namespace aulm::gateway
