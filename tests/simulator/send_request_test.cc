#include "tests/simulator/send_request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"

namespace aulm::simulator {
namespace {

using ::testing::HasSubstr;

constexpr char kSession[] = "00000000-0000-4000-8000-000000000001";
constexpr size_t kMaxImage = 30;

// A text send whose fields are given as JSON; empty leaves the field out.
std::string Text(const std::string& session_id, const std::string& to, const std::string& body) {
  std::string json = R"({"extra":1)";
  if (!session_id.empty()) absl::StrAppend(&json, R"(,"session_id":)", session_id);
  if (!to.empty()) absl::StrAppend(&json, R"(,"to":)", to);
  if (!body.empty()) absl::StrAppend(&json, R"(,"body":)", body);
  return json + "}";
}

std::string Quoted(const std::string& text) { return absl::StrCat("\"", text, "\""); }

std::string GoodText(const std::string& body) { return Text(Quoted(kSession), Quoted("+966512345678"), Quoted(body)); }

std::string Image(const std::string& rest) {
  return absl::StrCat(R"({"session_id":")", kSession, R"(","to":"+966512345678")", rest, "}");
}

// The refusal as `code: message`, empty when the body is good.
std::string Refusal(SendRequest::Kind kind, const std::string& body) {
  SendRequest request;
  const auto refusal = ParseSendRequest(kind, body, kMaxImage, request);
  return refusal ? absl::StrCat(refusal->code, ": ", refusal->message) : "";
}
std::string TextRefusal(const std::string& body) { return Refusal(SendRequest::Kind::kText, body); }
std::string ImageRefusal(const std::string& rest) { return Refusal(SendRequest::Kind::kImage, Image(rest)); }

TEST(SendRequestTest, ReadsEveryFieldOfAText) {
  SendRequest request;
  ASSERT_FALSE(ParseSendRequest(SendRequest::Kind::kText, GoodText("hi \\\"you\\\""), kMaxImage, request));
  EXPECT_EQ(request.session_id, kSession);
  EXPECT_EQ(request.to, "+966512345678");
  EXPECT_EQ(request.text, "hi \"you\"");
}

TEST(SendRequestTest, RefusesWhatIsNotJson) {
  EXPECT_THAT(TextRefusal("{"), HasSubstr("invalid_json"));
  EXPECT_THAT(TextRefusal(""), HasSubstr("invalid_json"));
  EXPECT_THAT(TextRefusal("{\"body\":\"\xff\"}"), HasSubstr("invalid_json"));
}

TEST(SendRequestTest, RefusesWhatIsNotAnObject) { EXPECT_THAT(TextRefusal("[]"), HasSubstr("invalid_request: the")); }

TEST(SendRequestTest, NamesTheFieldThatIsMissing) {
  EXPECT_THAT(TextRefusal(Text("", "\"+9665\"", "\"hi\"")), HasSubstr("invalid_request: session_id"));
  EXPECT_THAT(TextRefusal(Text(Quoted(kSession), "", "\"hi\"")), HasSubstr("invalid_request: to"));
  EXPECT_THAT(TextRefusal(Text(Quoted(kSession), "\"+9665\"", "")), HasSubstr("invalid_request: body"));
  EXPECT_THAT(ImageRefusal(""), HasSubstr("invalid_request: image"));
}

TEST(SendRequestTest, RefusesFieldsThatAreNoStrings) {
  EXPECT_THAT(TextRefusal(Text("1", "\"+9665\"", "\"hi\"")), HasSubstr("session_id"));
  EXPECT_THAT(TextRefusal(Text(Quoted(kSession), "null", "\"hi\"")), HasSubstr("to"));
  EXPECT_THAT(TextRefusal(Text(Quoted(kSession), "\"+9665\"", "[]")), HasSubstr("body"));
  EXPECT_THAT(ImageRefusal(R"(,"image":{})"), HasSubstr("image"));
  EXPECT_THAT(ImageRefusal(R"(,"image":"https://a.example/x","caption":7)"), HasSubstr("caption"));
}

TEST(SendRequestTest, RefusesASessionIdThatIsNoUuid) {
  EXPECT_THAT(TextRefusal(Text("\"main\"", "\"+966512345678\"", "\"hi\"")), HasSubstr("session_id: must be a uuid"));
}

TEST(SendRequestTest, TakesE164OfAtMostTwentyCharacters) {
  EXPECT_TRUE(IsE164("+966512345678"));
  EXPECT_TRUE(IsE164("+1234567890123456789"));
  EXPECT_FALSE(IsE164("+12345678901234567890"));
  EXPECT_FALSE(IsE164("966512345678"));
  EXPECT_FALSE(IsE164("+0966512345678"));
  EXPECT_FALSE(IsE164("+9665 1234"));
  EXPECT_FALSE(IsE164("+"));
  EXPECT_FALSE(IsE164(""));
}

TEST(SendRequestTest, CountsCharactersAsCodePoints) {
  std::string longest;
  for (int i = 0; i < 4096; ++i) absl::StrAppend(&longest, "\xF0\x9F\x98\x80");  // four bytes, one character
  EXPECT_EQ(TextRefusal(GoodText(longest)), "");
  EXPECT_THAT(TextRefusal(GoodText(longest + "x")), HasSubstr("body: must be 1 to 4096 characters"));
}

TEST(SendRequestTest, RefusesAnEmptyBody) { EXPECT_THAT(TextRefusal(GoodText("")), HasSubstr("body: must be 1 to")); }

TEST(SendRequestTest, BoundsTheCaption) {
  const std::string image = R"(,"image":"https://a.example/x.png","caption":")";
  EXPECT_EQ(ImageRefusal(image + std::string(1024, 'c') + "\""), "");
  EXPECT_EQ(ImageRefusal(image + "\""), "");
  EXPECT_THAT(ImageRefusal(image + std::string(1025, 'c') + "\""), HasSubstr("caption: must be at most 1024"));
}

TEST(SendRequestTest, BoundsTheImage) {
  // 40 base64 characters are 30 bytes.
  EXPECT_EQ(ImageRefusal(R"(,"image":"data:image/png;base64,)" + std::string(40, 'A') + "\""), "");
  EXPECT_THAT(ImageRefusal(R"(,"image":"data:image/png;base64,)" + std::string(44, 'A') + "\""),
              HasSubstr("33 bytes, at most 30"));
}

}  // namespace
}  // namespace aulm::simulator
