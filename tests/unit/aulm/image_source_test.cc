// Images as callers give them: by URL, by data URI, by bytes.
#include "service/aulm/image_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace aulm::gateway {
namespace {

using ::testing::HasSubstr;

const std::string kPng = std::string("\x89PNG\r\n\x1A\n", 8) + "rest";

// The one field that the violation names, with its text.
std::string Violation(const FieldViolations& bad) {
  const absl::Status status = bad.ToStatus();
  const auto fields = BadFieldsOf(status);
  return fields.size() == 1 ? absl::StrCat(fields[0], "|", std::string(status.message())) : "none or many";
}

TEST(RecogniseImageTest, KnowsFourKindsByTheirFirstBytes) {
  EXPECT_EQ(RecogniseImage("\xFF\xD8\xFF\xE0 jpeg"), "image/jpeg");
  EXPECT_EQ(RecogniseImage(kPng), "image/png");
  EXPECT_EQ(RecogniseImage("GIF87a..."), "image/gif");
  EXPECT_EQ(RecogniseImage("GIF89a..."), "image/gif");
  EXPECT_EQ(RecogniseImage(absl::string_view("RIFF\x10\0\0\0WEBPVP8 ", 16)), "image/webp");
}

TEST(RecogniseImageTest, KnowsNothingElse) {
  for (const char* bytes : {"", "\xFF\xD8", "PNG", "GIF88a", "RIFF....WAVE", "RIFF", "BM....", "<svg/>", "%PDF-1.7"}) {
    EXPECT_EQ(RecogniseImage(bytes), "") << bytes;
  }
}

TEST(ImageFromBytesTest, TypeIsRecognisedWhenNoneIsGiven) {
  FieldViolations bad;
  const auto image = ImageFromBytes(kPng, "", 1000, bad);
  ASSERT_TRUE(image.has_value());
  EXPECT_TRUE(bad.empty());
  EXPECT_EQ(image->mime_type, "image/png");
  EXPECT_EQ(image->bytes, kPng);
  EXPECT_FALSE(image->is_url());
}

TEST(ImageFromBytesTest, AGivenTypeIsTakenInLowerCase) {
  FieldViolations bad;
  EXPECT_EQ(ImageFromBytes("anything", "Image/HEIC", 1000, bad)->mime_type, "image/heic");
}

TEST(ImageFromBytesTest, UnrecognisedBytesNameTheTypeField) {
  FieldViolations bad;
  EXPECT_FALSE(ImageFromBytes("plain text", "", 1000, bad).has_value());
  EXPECT_THAT(Violation(bad), HasSubstr("image_data.mime_type|"));
}

TEST(ImageFromBytesTest, OtherTypesNameTheTypeField) {
  for (const char* type : {"text/html", "image/", "image", "image/png;base64,AA", "image/p ng", "image/\"x\""}) {
    FieldViolations bad;
    EXPECT_FALSE(ImageFromBytes(kPng, type, 1000, bad).has_value()) << type;
    EXPECT_THAT(Violation(bad), HasSubstr("image_data.mime_type|")) << type;
  }
}

TEST(ImageFromBytesTest, EmptyAndTooLargeNameTheDataField) {
  FieldViolations empty;
  EXPECT_FALSE(ImageFromBytes("", "image/png", 1000, empty).has_value());
  EXPECT_THAT(Violation(empty), HasSubstr("image_data.data|"));
  FieldViolations large;
  EXPECT_FALSE(ImageFromBytes(std::string(1001, 'x'), "image/png", 1000, large).has_value());
  EXPECT_THAT(Violation(large), HasSubstr("image_data.data|image_data.data: must be at most 1000 bytes"));
}

TEST(ImageFromBytesTest, TheLimitItselfIsTaken) {
  FieldViolations bad;
  EXPECT_TRUE(ImageFromBytes(std::string(1000, 'x'), "image/png", 1000, bad).has_value());
}

TEST(ImageFromUrlTest, APublicUrlIsPassedOn) {
  FieldViolations bad;
  const auto image = ImageFromUrl("https://example.com/a.png", 1000, bad);
  ASSERT_TRUE(image.has_value());
  EXPECT_TRUE(image->is_url());
  EXPECT_EQ(image->url, "https://example.com/a.png");
}

TEST(ImageFromUrlTest, APrivateUrlNamesTheField) {
  FieldViolations bad;
  EXPECT_FALSE(ImageFromUrl("https://169.254.169.254/", 1000, bad).has_value());
  EXPECT_THAT(Violation(bad), HasSubstr("image_url|image_url: must name a public host"));
}

TEST(ImageFromUrlTest, LengthIsCountedInCharacters) {
  const std::string base = "https://example.com/";
  std::string fits = base;
  for (size_t i = base.size(); i < 2048; ++i) fits += "é";
  FieldViolations bad;
  EXPECT_TRUE(ImageFromUrl(fits, 1000, bad).has_value());
  EXPECT_FALSE(ImageFromUrl(fits + "é", 1000, bad).has_value());
  EXPECT_THAT(Violation(bad), HasSubstr("image_url: must be at most 2048 characters"));
}

TEST(ImageFromUrlTest, ADataUriIsTakenAsBytes) {
  FieldViolations bad;
  const auto image = ImageFromUrl(absl::StrCat("data:image/PNG;base64,", absl::Base64Escape(kPng)), 1000, bad);
  ASSERT_TRUE(image.has_value());
  EXPECT_FALSE(image->is_url());
  EXPECT_EQ(image->mime_type, "image/png");
  EXPECT_EQ(image->bytes, kPng);
}

TEST(ImageFromUrlTest, ADataUriMayExceedTheLengthOfAUrl) {
  FieldViolations bad;
  EXPECT_TRUE(
      ImageFromUrl(absl::StrCat("data:image/png;base64,", absl::Base64Escape(std::string(5000, 'x'))), 5000, bad)
          .has_value());
}

TEST(ImageFromUrlTest, ABadDataUriNamesTheField) {
  const std::string large = absl::StrCat("data:image/png;base64,", absl::Base64Escape(std::string(1001, 'x')));
  const std::string vast = absl::StrCat("data:image/png;base64,", std::string(100'000, 'A'));
  for (const std::string& uri : {std::string("data:"), std::string("data:,"), std::string("data:image/png,abc"),
                                 std::string("data:image/png;base64"), std::string("data:image/png;base64,"),
                                 std::string("data:image/png;base64,????"), std::string("data:text/html;base64,QUJD"),
                                 std::string("data:;base64,QUJD"), large, vast}) {
    FieldViolations bad;
    EXPECT_FALSE(ImageFromUrl(uri, 1000, bad).has_value()) << uri.substr(0, 60);
    EXPECT_THAT(Violation(bad), HasSubstr("image_url|")) << uri.substr(0, 60);
  }
}

}  // namespace
}  // namespace aulm::gateway
