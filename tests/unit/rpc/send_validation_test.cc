#include "service/rpc/send_validation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

namespace aulm::gateway {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// `count` times a character of four bytes.
std::string Emoji(int count) {
  std::string text;
  for (int i = 0; i < count; ++i) text += "\xF0\x9F\x98\x80";
  return text;
}

v1::SendTextRequest GoodText() {
  v1::SendTextRequest request;
  request.set_session_id("11111111-1111-4111-8111-111111111111");
  request.set_to("+966512345678");
  request.set_body("hi");
  return request;
}

v1::SendImageRequest GoodImage() {
  v1::SendImageRequest request;
  request.set_session_id("11111111-1111-4111-8111-111111111111");
  request.set_to("+966512345678");
  request.set_image_url("https://example.com/a.png");
  return request;
}

std::vector<std::string> BadFields(const v1::SendTextRequest& request) {
  FieldViolations bad;
  CheckSendText(request, bad);
  return BadFieldsOf(bad.ToStatus(/*is_send=*/true));
}

std::vector<std::string> BadFields(const v1::SendImageRequest& request) {
  FieldViolations bad;
  CheckSendImage(request, bad);
  return BadFieldsOf(bad.ToStatus(/*is_send=*/true));
}

struct TextCase {
  std::string name;
  std::function<void(v1::SendTextRequest&)> change;
  std::vector<std::string> bad_fields;
};

class SendTextValidationTest : public testing::TestWithParam<TextCase> {};

TEST_P(SendTextValidationTest, NamesTheBadFields) {
  v1::SendTextRequest request = GoodText();

  GetParam().change(request);

  EXPECT_EQ(BadFields(request), GetParam().bad_fields);
}

INSTANTIATE_TEST_SUITE_P(
    Table, SendTextValidationTest,
    testing::Values(
        TextCase{"Good", [](auto&) {}, {}},
        TextCase{"SessionMissing", [](auto& r) { r.clear_session_id(); }, {"session_id"}},
        TextCase{"SessionNoUuid", [](auto& r) { r.set_session_id("main"); }, {"session_id"}},
        TextCase{"SessionUpperCase", [](auto& r) { r.set_session_id("AAAAAAAA-1111-4111-8111-111111111111"); }, {}},
        TextCase{"ToMissing", [](auto& r) { r.clear_to(); }, {"to"}},
        TextCase{"ToWithoutPlus", [](auto& r) { r.set_to("966512345678"); }, {"to"}},
        TextCase{"ToWithSpaces", [](auto& r) { r.set_to("+966 512 345 678"); }, {"to"}},
        TextCase{"ToTooLong", [](auto& r) { r.set_to("+96651234567890123456"); }, {"to"}},
        TextCase{"ToLeadingZero", [](auto& r) { r.set_to("+0966512345678"); }, {"to"}},
        TextCase{"BodyEmpty", [](auto& r) { r.clear_body(); }, {"body"}},
        TextCase{"BodyLongest", [](auto& r) { r.set_body(Emoji(4096)); }, {}},
        TextCase{"BodyTooLong", [](auto& r) { r.set_body(Emoji(4097)); }, {"body"}},
        TextCase{"BodyNotUtf8", [](auto& r) { r.set_body("\xC0\xAF"); }, {"body"}},
        TextCase{"RequestIdLongest", [](auto& r) { r.set_request_id(std::string(128, 'a')); }, {}},
        TextCase{"RequestIdTooLong", [](auto& r) { r.set_request_id(std::string(129, 'a')); }, {"request_id"}},
        TextCase{"RequestIdWithSpace", [](auto& r) { r.set_request_id("a b"); }, {"request_id"}},
        TextCase{"RequestIdNotAscii", [](auto& r) { r.set_request_id("é"); }, {"request_id"}},
        TextCase{"LabelsGood", [](auto& r) { (*r.mutable_labels())["order.id-1_a"] = "Größe 5"; }, {}},
        TextCase{"LabelKeyUpperCase", [](auto& r) { (*r.mutable_labels())["Order"] = "5"; }, {"labels[\"Order\"]"}},
        TextCase{"LabelKeyEmpty", [](auto& r) { (*r.mutable_labels())[""] = "5"; }, {"labels[\"\"]"}},
        TextCase{"LabelKeyThatMayBeANumber",
                 [](auto& r) { (*r.mutable_labels())["to \"+966512345678\""] = "5"; },
                 {"labels[\"to ?+9665...\"]"}},
        TextCase{"LabelValueTooLong",
                 [](auto& r) { (*r.mutable_labels())["a"] = std::string(257, 'x'); },
                 {"labels[\"a\"]"}},
        TextCase{"TooManyLabels",
                 [](auto& r) {
                   for (int i = 0; i < 17; ++i) (*r.mutable_labels())[absl::StrCat("k", i)] = "v";
                 },
                 {"labels"}},
        TextCase{"EverythingAtOnce", [](auto& r) { r = v1::SendTextRequest(); }, {"session_id", "to", "body"}}),
    [](const auto& test) { return test.param.name; });

TEST(SendImageValidationTest, GoodRequestHasNoBadFields) { EXPECT_THAT(BadFields(GoodImage()), IsEmpty()); }

TEST(SendImageValidationTest, ImageIsRequired) {
  v1::SendImageRequest request = GoodImage();

  request.clear_image();

  EXPECT_THAT(BadFields(request), ElementsAre("image"));
}

TEST(SendImageValidationTest, CaptionHasItsOwnLimit) {
  v1::SendImageRequest request = GoodImage();
  request.set_caption(Emoji(1024));
  EXPECT_THAT(BadFields(request), IsEmpty());

  request.set_caption(Emoji(1025));

  EXPECT_THAT(BadFields(request), ElementsAre("caption"));
}

TEST(SendValidationTest, MessageSaysTheLimitAndNeverTheValue) {
  v1::SendTextRequest request = GoodText();
  request.set_body(std::string(5000, 'x'));
  FieldViolations bad;

  CheckSendText(request, bad);

  const absl::Status status = bad.ToStatus(/*is_send=*/true);
  EXPECT_THAT(status.message(), testing::HasSubstr("body: must have 1 to 4096 characters, has 5000"));
  EXPECT_THAT(status.message(), testing::Not(testing::HasSubstr("xxxx")));
  EXPECT_EQ(OutcomeOf(status), Outcome::kNotSent);
}

TEST(GetMessageValidationTest, TakesEitherKeyAndNamesWhatIsWrong) {
  const auto bad_fields = [](const v1::GetMessageRequest& request) {
    FieldViolations bad;
    CheckGetMessage(request, bad);
    return BadFieldsOf(bad.ToStatus());
  };
  v1::GetMessageRequest request;
  EXPECT_THAT(bad_fields(request), ElementsAre("key"));
  request.set_request_id("");
  EXPECT_THAT(bad_fields(request), ElementsAre("request_id"));
  request.set_request_id("order-1");
  EXPECT_THAT(bad_fields(request), IsEmpty());
  request.mutable_message();
  EXPECT_THAT(bad_fields(request), ElementsAre("message.session_id", "message.message_id"));
  request.mutable_message()->set_session_id("11111111-1111-4111-8111-111111111111");
  request.mutable_message()->set_message_id(std::string(257, 'x'));
  EXPECT_THAT(bad_fields(request), ElementsAre("message.message_id"));
  request.mutable_message()->set_message_id(std::string(256, 'x'));
  EXPECT_THAT(bad_fields(request), IsEmpty());
}

}  // namespace
}  // namespace aulm::gateway
