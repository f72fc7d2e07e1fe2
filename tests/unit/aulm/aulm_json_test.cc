// The bodies that aulm is sent, and its answers as they may really come.
#include "service/aulm/aulm_json.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace aulm::gateway {
namespace {

constexpr char kSession[] = "4c3d2b1a-0000-4000-8000-000000000001";
constexpr char kNumber[] = "+966512345678";

// Parsed by a reader that is not ours.
boost::json::object Parsed(const std::string& text) { return boost::json::parse(text).as_object(); }

std::string At(const boost::json::object& object, const char* key) {
  const auto& text = object.at(key).as_string();
  return std::string(text.data(), text.size());
}

std::optional<SendResult> Read(std::string body, std::vector<std::pair<std::string, std::string>> headers = {}) {
  return ReadSendResult(HttpResponse{201, std::move(headers), std::move(body)}, kSession, kNumber);
}

TEST(SendTextJsonTest, HasTheThreeFieldsAndNothingElse) {
  EXPECT_EQ(SendTextJson({kSession, kNumber, "hi"}),
            R"({"session_id":"4c3d2b1a-0000-4000-8000-000000000001","to":"+966512345678","body":"hi"})");
}

TEST(SendTextJsonTest, EveryByteOfTheTextArrives) {
  std::string body;
  for (int c = 0; c < 0x80; ++c) body.push_back(static_cast<char>(c));
  body += "\"quoted\" back\\slash \xD9\x85\xD8\xB1\xD8\xAD\xD8\xA8\xD8\xA7 \xF0\x9F\x8E\x89";
  EXPECT_EQ(At(Parsed(SendTextJson({kSession, kNumber, body})), "body"), body);
}

TEST(SendImageJsonTest, UrlIsPassedOnAndAnEmptyCaptionLeftOut) {
  const ImageSource image{"https://example.com/a.png?x=\"1\"", "", ""};
  const auto parsed = Parsed(SendImageJson({kSession, kNumber, image, ""}));
  EXPECT_EQ(At(parsed, "image"), image.url);
  EXPECT_EQ(parsed.size(), 3u);
}

TEST(SendImageJsonTest, BytesBecomeADataUri) {
  for (size_t length : {1, 2, 3, 4, 1000}) {
    std::string bytes;
    for (size_t i = 0; i < length; ++i) bytes.push_back(static_cast<char>(i * 37));
    const ImageSource image{"", "image/png", bytes};
    const auto parsed = Parsed(SendImageJson({kSession, kNumber, image, "look\n"}));
    EXPECT_EQ(At(parsed, "image"), absl::StrCat("data:image/png;base64,", absl::Base64Escape(bytes))) << length;
    EXPECT_EQ(At(parsed, "caption"), "look\n");
  }
}

TEST(ReadSendResultTest, TheDocumentedAnswer) {
  const auto result = Read(
      R"({"data": {"message_id": "3EB0", "session_id": "s", "to": "+1", "status": "sent", "simulated": false}, "request_id": "r"})");
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(result->message_id, "3EB0");
  EXPECT_EQ(result->session_id, "s");
  EXPECT_EQ(result->to, "+1");
  EXPECT_EQ(result->status, "sent");
  EXPECT_FALSE(result->simulated);
  EXPECT_EQ(result->aulm_request_id, "r");
}

TEST(ReadSendResultTest, TheHeaderNamesTheRequestFirst) {
  EXPECT_EQ(Read(R"({"data":{"message_id":"m"},"request_id":"r"})", {{"x-request-id", "h"}})->aulm_request_id, "h");
}

TEST(ReadSendResultTest, ExtraFieldsAreIgnored) {
  EXPECT_TRUE(Read(R"({"data":{"message_id":"m","new":{"a":[1,2,{}]}},"more":1.5e300})").has_value());
}

TEST(ReadSendResultTest, MissingFieldsAreTheRequestsOwn) {
  const auto result = Read(R"({"data":{"message_id":"m"}})");
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(result->session_id, kSession);
  EXPECT_EQ(result->to, kNumber);
  EXPECT_EQ(result->status, "");
  EXPECT_EQ(result->aulm_request_id, "");
}

TEST(ReadSendResultTest, WrongTypesOfWhatDoesNotMatterAreAsAbsent) {
  const auto result =
      Read(R"({"data":{"message_id":"m","session_id":5,"to":null,"status":[],"simulated":"yes"},"request_id":{}})");
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(result->session_id, kSession);
  EXPECT_EQ(result->to, kNumber);
  EXPECT_FALSE(result->simulated);
}

TEST(ReadSendResultTest, SimulatedIsToldByTheIdWhereTheFieldIsMissing) {
  EXPECT_TRUE(Read(R"({"data":{"message_id":"sim_1"}})")->simulated);
  EXPECT_FALSE(Read(R"({"data":{"message_id":"sim_1","simulated":false}})")->simulated);
}

TEST(ReadSendResultTest, UnknownStatusIsKeptVerbatim) {
  EXPECT_EQ(Read(R"({"data":{"message_id":"m","status":"queued_elsewhere"}})")->status, "queued_elsewhere");
}

TEST(ReadSendResultTest, BytesThatAreNotUtf8AreReplaced) {
  EXPECT_EQ(Read("{\"data\":{\"message_id\":\"m\",\"status\":\"a\xff\"}}")->status, "a\xEF\xBF\xBD");
}

class UnreadableSendResultTest : public testing::TestWithParam<std::string> {};

TEST_P(UnreadableSendResultTest, IsNotRead) { EXPECT_FALSE(Read(GetParam()).has_value()); }

INSTANTIATE_TEST_SUITE_P(Bodies, UnreadableSendResultTest,
                         testing::Values("", "<html></html>", "null", "[]", "{}", R"({"data":null})", R"({"data":[]})",
                                         R"({"data":{}})", R"({"data":{"message_id":""}})",
                                         R"({"data":{"message_id":7}})", R"({"data":{"message_id":null}})",
                                         R"({"data":{"message_id":"m")", R"({"data":{"message_id":"m"}} trailing)",
                                         R"({"message_id":"m"})",
                                         absl::StrCat(R"({"data":{"message_id":")", std::string(2000, 'm'), "\"}}"),
                                         absl::StrCat(R"({"data":{"message_id":"m","x":)", std::string(100, '['),
                                                      std::string(100, ']'), "}}")));

TEST(ReadSendResultTest, NestingUpToTheLimitIsRead) {
  EXPECT_TRUE(Read(absl::StrCat(R"({"data":{"message_id":"m","x":)", std::string(20, '['), std::string(20, ']'), "}}"))
                  .has_value());
}

TEST(ReadSessionStatusTest, TheDocumentedAnswer) {
  const auto result = ReadSessionStatus(
      HttpResponse{200, {}, R"({"data": {"session_id": "s", "status": "connected"}, "request_id": "r"})"}, kSession);
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(result->session_id, "s");
  EXPECT_EQ(result->status, "connected");
  EXPECT_EQ(result->aulm_request_id, "r");
}

TEST(ReadSessionStatusTest, WithoutAStatusItIsNotRead) {
  for (const char* body : {"", "{}", R"({"data":{"session_id":"s"}})", R"({"data":{"status":true}})", "<html>"}) {
    EXPECT_FALSE(ReadSessionStatus(HttpResponse{200, {}, body}, kSession).has_value()) << body;
  }
}

}  // namespace
}  // namespace aulm::gateway
