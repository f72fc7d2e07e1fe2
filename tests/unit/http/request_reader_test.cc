#include "service/http/request_reader.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace aulm::gateway {
namespace {

using Progress = RequestReader::Progress;
using testing::ElementsAre;
using testing::HasSubstr;

// Bytes into a reader, as a connection would bring them.
class Feeder {
 public:
  explicit Feeder(std::string bytes, HttpLimits limits = {}, size_t most_at_once = 1 << 20)
      : bytes_(std::move(bytes)), limits_(limits), most_at_once_(most_at_once), reader_(limits_) {}

  // Until there is more to say than that more is needed, or the bytes are used up.
  Progress Next() {
    while (true) {
      const Progress progress = reader_.Advance();
      if (progress != Progress::kNeedMore || at_ == bytes_.size()) return progress;
      const auto space = reader_.Space();
      const size_t taken = std::min({space.size(), bytes_.size() - at_, most_at_once_});
      std::memcpy(space.data(), bytes_.data() + at_, taken);
      reader_.Received(taken);
      at_ += taken;
    }
  }

  // Past the header, to the request's end.
  Progress Finish() {
    Progress progress = Next();
    if (progress == Progress::kHeader) progress = Next();
    return progress;
  }

  RequestReader& reader() { return reader_; }
  ServedRequest& request() { return reader_.request(); }

 private:
  const std::string bytes_;
  const HttpLimits limits_;
  const size_t most_at_once_;
  size_t at_ = 0;
  RequestReader reader_;
};

TEST(RequestReaderTest, ReadsRequestLineFieldsAndBody) {
  Feeder feeder(
      "POST /webhooks/aulm/shop?x=1 HTTP/1.1\r\nHost: gw:8080\r\nX-Aulm-Event:  message_status \r\n"
      "Content-Length: 5\r\n\r\nhello");
  ASSERT_EQ(feeder.Finish(), Progress::kComplete);
  const ServedRequest& request = feeder.request();
  EXPECT_EQ(request.method, "POST");
  EXPECT_EQ(request.target, "/webhooks/aulm/shop?x=1");
  EXPECT_EQ(request.path, "/webhooks/aulm/shop");
  EXPECT_EQ(request.query, "x=1");
  EXPECT_EQ(request.Header("x-aulm-event"), "message_status");
  EXPECT_EQ(request.Header("absent"), "");
  EXPECT_EQ(request.body, "hello");
  EXPECT_TRUE(feeder.reader().keep_alive());
}

TEST(RequestReaderTest, TellsTheHeaderBeforeTheBodyHasCome) {
  Feeder feeder("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhel");
  ASSERT_EQ(feeder.Next(), Progress::kHeader);
  EXPECT_TRUE(feeder.reader().body_missing());
  EXPECT_EQ(feeder.Next(), Progress::kNeedMore);
}

TEST(RequestReaderTest, ReadsTheSameInWhateverPiecesItComes) {
  const std::string bytes =
      "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n5\r\nhello\r\n00A;x=\"y;z\"\r\n, again\r\n.\r\n"
      "0\r\nTrailer: t\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n";
  for (const size_t at_once : {1, 2, 3, 7, 50, 1000}) {
    Feeder feeder(bytes, {}, at_once);
    ASSERT_EQ(feeder.Finish(), Progress::kComplete) << at_once;
    EXPECT_EQ(feeder.request().body, "hello, again\r\n.") << at_once;
    EXPECT_EQ(feeder.request().path, "/a");
    EXPECT_EQ(feeder.request().headers.size(), 2u);
    feeder.reader().Next();
    ASSERT_EQ(feeder.Finish(), Progress::kComplete) << at_once;
    EXPECT_EQ(feeder.request().path, "/b");
    EXPECT_EQ(feeder.request().body, "");
  }
}

TEST(RequestReaderTest, BodyOfTheWholeLimitIsRead) {
  HttpLimits limits;
  const std::string body(limits.body_bytes, 'x');
  Feeder feeder(absl::StrCat("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ", body.size(), "\r\n\r\n", body), limits,
                10'000);
  ASSERT_EQ(feeder.Finish(), Progress::kComplete);
  EXPECT_EQ(feeder.request().body, body);
}

TEST(RequestReaderTest, LengthAloneReservesLittle) {
  Feeder feeder("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n");
  ASSERT_EQ(feeder.Finish(), Progress::kNeedMore);
  feeder.reader().Space();
  EXPECT_LE(feeder.reader().incomplete_body_bytes(), 64u << 10);
}

TEST(RequestReaderTest, HeaderOfTheWholeLimitIsRead) {
  HttpLimits limits;
  const std::string start = "GET / HTTP/1.1\r\nHost: a\r\nX: ";
  const std::string field(limits.header_bytes - start.size() - 4, 'x');
  Feeder feeder(absl::StrCat(start, field, "\r\n\r\n"), limits);
  ASSERT_EQ(feeder.Finish(), Progress::kComplete);
  EXPECT_EQ(feeder.request().Header("x"), field);
}

TEST(RequestReaderTest, ExpectationIsNoticedOnlyBeforeTheBodyComes) {
  const std::string header = "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 2\r\n\r\n";
  Feeder waiting(header);
  ASSERT_EQ(waiting.Next(), Progress::kHeader);
  EXPECT_TRUE(waiting.reader().wants_continue());
  Feeder eager(header + "ab");
  ASSERT_EQ(eager.Next(), Progress::kHeader);
  EXPECT_FALSE(eager.reader().wants_continue());
  Feeder begun(header + "a");
  ASSERT_EQ(begun.Next(), Progress::kHeader);
  EXPECT_FALSE(begun.reader().wants_continue());
}

TEST(RequestReaderTest, Http10ClosesUnlessAsked) {
  Feeder plain("GET / HTTP/1.0\r\n\r\n");
  ASSERT_EQ(plain.Finish(), Progress::kComplete);
  EXPECT_FALSE(plain.reader().keep_alive());
  EXPECT_TRUE(plain.reader().is_http_1_0());
  Feeder kept("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n");
  ASSERT_EQ(kept.Finish(), Progress::kComplete);
  EXPECT_TRUE(kept.reader().keep_alive());
}

TEST(RequestReaderTest, ConnectionCloseIsHeard) {
  Feeder feeder("GET / HTTP/1.1\r\nHost: a\r\nConnection: foo, Close\r\n\r\n");
  ASSERT_EQ(feeder.Finish(), Progress::kComplete);
  EXPECT_FALSE(feeder.reader().keep_alive());
}

TEST(RequestReaderTest, AbsoluteTargetIsReadAsItsPath) {
  Feeder feeder("GET http://gw.example:80/livez?v HTTP/1.1\r\nHost: a\r\n\r\n");
  ASSERT_EQ(feeder.Finish(), Progress::kComplete);
  EXPECT_EQ(feeder.request().path, "/livez");
  EXPECT_EQ(feeder.request().query, "v");
}

TEST(RequestReaderTest, OneEmptyLineBeforeARequestIsForgiven) {
  Feeder feeder("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(feeder.Finish(), Progress::kComplete);
}

TEST(RequestReaderTest, RequestsThatFollowKeepTheirBytes) {
  std::string bytes;
  for (int i = 0; i < 300; ++i) {
    absl::StrAppend(&bytes, "POST /", i, " HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc");
  }
  Feeder feeder(bytes, {}, 1000);
  for (int i = 0; i < 300; ++i) {
    ASSERT_EQ(feeder.Finish(), Progress::kComplete);
    ASSERT_EQ(feeder.request().path, absl::StrCat("/", i));
    ASSERT_EQ(feeder.request().body, "abc");
    feeder.reader().Next();
  }
  EXPECT_FALSE(feeder.reader().started());
}

struct Broken {
  const char* name;
  std::string bytes;
  HttpRefusal refusal = HttpRefusal::kBrokenFraming;
};

std::string Post(absl::string_view fields, absl::string_view rest = "") {
  return absl::StrCat("POST / HTTP/1.1\r\nHost: a\r\n", fields, "\r\n", rest);
}

class RequestReaderBrokenTest : public testing::TestWithParam<Broken> {};

TEST_P(RequestReaderBrokenTest, IsRefusedInWhateverPiecesItComes) {
  for (const size_t at_once : {1, 5, 1 << 20}) {
    Feeder feeder(GetParam().bytes, {}, at_once);
    ASSERT_EQ(feeder.Finish(), Progress::kRefused) << at_once;
    EXPECT_EQ(HttpRefusalName(feeder.reader().refusal()), HttpRefusalName(GetParam().refusal));
    EXPECT_NE(feeder.reader().detail(), "");
  }
}

std::vector<Broken> BrokenRequests() {
  const HttpLimits limits;
  std::string many_fields;
  for (size_t i = 0; i < limits.header_fields; ++i) absl::StrAppend(&many_fields, "x: y\r\n");
  const std::string chunked = "Transfer-Encoding: chunked\r\n";
  return {
      {"NoHost", "GET / HTTP/1.1\r\n\r\n"},
      {"TwoHosts", Post("Host: a\r\n")},
      {"EmptyHost", "GET / HTTP/1.1\r\nHost:\r\n\r\n"},
      {"HostWithPath", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"},
      {"HostList", "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n"},
      {"BareLineFeed", "GET / HTTP/1.1\nHost: a\n\n"},
      {"BareLineFeedInHeader", "GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n"},
      {"BareCarriageReturn", "GET / HTTP/1.1\r\nHost: a\rX: y\r\n\r\n"},
      {"FoldedLine", Post("X: y\r\n z\r\n")},
      {"FoldedFirstLine", "GET / HTTP/1.1\r\n Host: a\r\n\r\n"},
      {"FoldedByTab", Post("X: y\r\n\tz\r\n")},
      {"NulInValue", Post(absl::string_view("X: a\0b\r\n", 8))},
      {"NulInTarget", std::string("GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n", 29)},
      {"ControlInValue", Post("X: a\x01\r\n")},
      {"DeleteInValue", Post("X: a\x7f\r\n")},
      {"SpaceBeforeColon", Post("X : y\r\n")},
      {"EmptyName", Post(": y\r\n")},
      {"NoColon", Post("X\r\n")},
      {"NameWithBracket", Post("X[: y\r\n")},
      {"LengthAndChunked", Post("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", "abc")},
      {"ChunkedAndLength", Post("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", "0\r\n\r\n")},
      {"TwoLengths", Post("Content-Length: 3\r\nContent-Length: 4\r\n", "abc")},
      {"SameLengthTwice", Post("Content-Length: 3\r\nContent-Length: 3\r\n", "abc")},
      {"LengthList", Post("Content-Length: 3, 3\r\n", "abc")},
      {"PositiveLength", Post("Content-Length: +3\r\n", "abc")},
      {"NegativeLength", Post("Content-Length: -3\r\n", "abc")},
      {"HexLength", Post("Content-Length: 0x3\r\n", "abc")},
      {"EmptyLength", Post("Content-Length:\r\n", "abc")},
      {"LengthWithSpace", Post("Content-Length: 1 2\r\n", "abc")},
      {"LengthPast64Bits", Post("Content-Length: 18446744073709551619\r\n", "abc")},
      {"TwoCodings", Post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n")},
      {"CodingList", Post("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n")},
      {"CodingIdentity", Post("Transfer-Encoding: identity\r\n", "abc")},
      {"CodingAlmostChunked", Post("Transfer-Encoding: xchunked\r\n", "abc")},
      {"CodingEmpty", Post("Transfer-Encoding:\r\n", "abc")},
      {"ChunkedInHttp10", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
      {"SignedChunk", Post(chunked, "+3\r\nabc\r\n0\r\n\r\n")},
      {"NegativeChunk", Post(chunked, "-3\r\nabc\r\n0\r\n\r\n")},
      {"HexPrefixChunk", Post(chunked, "0x3\r\nabc\r\n0\r\n\r\n")},
      {"EmptyChunkSize", Post(chunked, "\r\nabc\r\n0\r\n\r\n")},
      {"ChunkSizePast64Bits", Post(chunked, "10000000000000003\r\nabc\r\n0\r\n\r\n")},
      {"ChunkWithoutEnd", Post(chunked, "3\r\nabcd\r\n0\r\n\r\n")},
      {"ChunkWithBareLineFeed", Post(chunked, "3\nabc\n0\n\n")},
      {"ChunkSizeWithSpace", Post(chunked, "3 \r\nabc\r\n0\r\n\r\n")},
      {"ChunkExtensionOverLimit", Post(chunked, absl::StrCat("3;", std::string(300, 'x'), "\r\nabc\r\n0\r\n\r\n"))},
      {"ChunkExtensionWithControl", Post(chunked, "3;a=\"\x01\"\r\nabc\r\n0\r\n\r\n")},
      {"ChunkExtensionEndless", Post(chunked, absl::StrCat("3;", std::string(100'000, 'x')))},
      {"TrailerWithLength", Post(chunked, "0\r\nContent-Length: 3\r\n\r\n")},
      {"TrailerEndless", Post(chunked, absl::StrCat("0\r\nx: ", std::string(100'000, 'x')))},
      {"Http09", "GET /\r\n"},
      {"Http2Preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"},
      {"Http12", "GET / HTTP/1.2\r\nHost: a\r\n\r\n"},
      {"LowerCaseVersion", "GET / http/1.1\r\nHost: a\r\n\r\n"},
      {"TwoSpaces", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"SpaceInTarget", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"TabInRequestLine", "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"Fragment", "GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"TargetBeyondAscii", "GET /\xC3\xA4 HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"RelativeTarget", "GET a HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"Connect", "CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"AsteriskOfGet", "GET * HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"AbsoluteWithoutHost", "GET http:///a HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"AbsoluteWithUser", "GET http://u@h/a HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"TlsHello", std::string("\x16\x03\x01\x02\x00\x01", 6)},
      {"TwoEmptyLines", "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"LeadingSpace", " GET / HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"TooManyFields", Post(many_fields), HttpRefusal::kHeaderTooLarge},
      {"HeaderOverLimit", Post(absl::StrCat("X: ", std::string(limits.header_bytes, 'x'), "\r\n")),
       HttpRefusal::kHeaderTooLarge},
      {"EndlessHeaderLine", absl::StrCat("GET /", std::string(100'000, 'x')), HttpRefusal::kHeaderTooLarge},
      {"LengthOverLimit", Post("Content-Length: 1048577\r\n"), HttpRefusal::kBodyTooLarge},
      {"ChunkOverLimit", Post(chunked, "100001\r\n"), HttpRefusal::kBodyTooLarge},
      {"ChunksOverLimit", Post(chunked, absl::StrCat("fffff\r\n", std::string(0xfffff, 'x'), "\r\n2\r\n")),
       HttpRefusal::kBodyTooLarge},
      {"OtherExpectation", Post("Expect: 200-ok\r\n"), HttpRefusal::kBadExpectation},
  };
}

INSTANTIATE_TEST_SUITE_P(Table, RequestReaderBrokenTest, testing::ValuesIn(BrokenRequests()),
                         [](const auto& row) { return std::string(row.param.name); });

}  // namespace
}  // namespace aulm::gateway
