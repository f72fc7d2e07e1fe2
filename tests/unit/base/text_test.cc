// Text from outside: what counts as UTF-8, what a log may show of a phone number, what an id and a number look like.
#include "service/base/text.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

namespace aulm::gateway {
namespace {

// --- UTF-8 -----------------------------------------------------------------------------------------------------------

struct Utf8Case {
  const char* name;
  std::string bytes;
  std::optional<size_t> code_points;
  std::string repaired;
};

const std::vector<Utf8Case>& Utf8Cases() {
  static const auto& cases = *new std::vector<Utf8Case>{
      {"Empty", "", 0, ""},
      {"Ascii", "Hello", 5, "Hello"},
      {"NulIsACodePoint", std::string("a\0b", 3), 3, std::string("a\0b", 3)},
      {"LastOfOneByte", "\x7F", 1, "\x7F"},
      {"FirstOfTwoBytes", "\xC2\x80", 1, "\xC2\x80"},
      {"LastOfTwoBytes", "\xDF\xBF", 1, "\xDF\xBF"},
      {"FirstOfThreeBytes", "\xE0\xA0\x80", 1, "\xE0\xA0\x80"},
      {"LastBeforeSurrogates", "\xED\x9F\xBF", 1, "\xED\x9F\xBF"},
      {"FirstAfterSurrogates", "\xEE\x80\x80", 1, "\xEE\x80\x80"},
      {"LastOfThreeBytes", "\xEF\xBF\xBF", 1, "\xEF\xBF\xBF"},
      {"FirstOfFourBytes", "\xF0\x90\x80\x80", 1, "\xF0\x90\x80\x80"},
      {"LastCodePoint", "\xF4\x8F\xBF\xBF", 1, "\xF4\x8F\xBF\xBF"},
      {"Arabic", "مرحبا", 5, "مرحبا"},
      {"CombiningMarksCountApart", "e\xCC\x81", 2, "e\xCC\x81"},
      {"FamilyEmojiIsFive", "👨‍👩‍👧", 5, "👨‍👩‍👧"},

      {"LoneContinuation", "a\x80z", std::nullopt, "a\uFFFDz"},
      {"TwoLoneContinuations", "\x80\xBF", std::nullopt, "\uFFFD\uFFFD"},
      {"OverlongSlashInTwoBytes", "\xC0\xAF", std::nullopt, "\uFFFD\uFFFD"},
      {"OverlongInTwoBytesHighest", "\xC1\xBF", std::nullopt, "\uFFFD\uFFFD"},
      {"OverlongInThreeBytes", "\xE0\x9F\xBF", std::nullopt, "\uFFFD\uFFFD\uFFFD"},
      {"OverlongInFourBytes", "\xF0\x8F\xBF\xBF", std::nullopt, "\uFFFD\uFFFD\uFFFD\uFFFD"},
      {"FirstSurrogate", "\xED\xA0\x80", std::nullopt, "\uFFFD\uFFFD\uFFFD"},
      {"LastSurrogate", "\xED\xBF\xBF", std::nullopt, "\uFFFD\uFFFD\uFFFD"},
      {"AboveTheLastCodePoint", "\xF4\x90\x80\x80", std::nullopt, "\uFFFD\uFFFD\uFFFD\uFFFD"},
      {"NeverALeadByte", "\xF5\xFF", std::nullopt, "\uFFFD\uFFFD"},
      {"CutInTwoBytes", "\xC3", std::nullopt, "\uFFFD"},
      {"CutAfterTwoOfThree", "a\xE2\x82", std::nullopt, "a\uFFFD"},
      {"CutAfterThreeOfFour", "\xF0\x9F\x98", std::nullopt, "\uFFFD"},
      {"BrokenByAscii", "\xE2\x82z", std::nullopt, "\uFFFDz"},
      {"BrokenByALeadByte", "\xE2\x82\xC3\xA9", std::nullopt, "\uFFFD\u00E9"},
      {"BadAmongGood", "é\xFFé", std::nullopt, "é\uFFFDé"},
  };
  return cases;
}

class Utf8Test : public testing::TestWithParam<Utf8Case> {};

TEST_P(Utf8Test, CountsCodePointsOfValidTextAlone) {
  EXPECT_EQ(CountCodePoints(GetParam().bytes), GetParam().code_points);
}

TEST_P(Utf8Test, RepairReplacesEachMaximalIllFormedPart) {
  EXPECT_EQ(RepairUtf8(GetParam().bytes), GetParam().repaired);
}

TEST_P(Utf8Test, RepairedTextIsValid) { EXPECT_TRUE(CountCodePoints(RepairUtf8(GetParam().bytes)).has_value()); }

INSTANTIATE_TEST_SUITE_P(All, Utf8Test, testing::ValuesIn(Utf8Cases()),
                         [](const auto& row) { return std::string(row.param.name); });

// --- phone numbers in logs -------------------------------------------------------------------------------------------

struct TextCase {
  const char* text;
  const char* shown;
};

TEST(MaskPhoneTest, ShowsTheCountryAndTheLastTwoDigitsAlone) {
  for (const TextCase& row : {
           TextCase{"", ""},
           TextCase{"+", "…"},
           TextCase{"+9665123", "…"},
           TextCase{"+96651234", "+966…34"},
           TextCase{"+966512345678", "+966…78"},
           TextCase{"966512345678@c.us", "9665…us"},
       }) {
    EXPECT_EQ(MaskPhone(row.text), row.shown) << row.text;
  }
}

// --- ids and numbers -------------------------------------------------------------------------------------------------

TEST(IsPlainIdTest, AcceptsWhatIdsAreMadeOf) {
  for (const char* text : {"a", "0c4f7b5e-9f5c-4c87-a5a2-0d6d1f1a2b3c", "sim_01.A:b"})
    EXPECT_TRUE(IsPlainId(text)) << text;
  EXPECT_TRUE(IsPlainId(std::string(128, 'x')));
}

TEST(IsPlainIdTest, RefusesEverythingElse) {
  for (const char* text : {"", "+966512345678", "a b", "a\n", "\x7f", "\xc3\xa9", "a\"b"})
    EXPECT_FALSE(IsPlainId(text)) << text;
  EXPECT_FALSE(IsPlainId(std::string(129, 'x')));
}

TEST(IsUuidTest, AcceptsTheUsualFormInEitherCase) {
  for (const char* text : {"00000000-0000-4000-8000-000000000001", "123e4567-e89b-12d3-a456-426614174000",
                           "ABCDEFAB-CDEF-ABCD-EFAB-CDEFABCDEFAB", "ffffffff-ffff-ffff-ffff-ffffffffffff"}) {
    EXPECT_TRUE(IsUuid(text)) << text;
  }
}

TEST(IsUuidTest, RefusesEverythingElse) {
  for (const char* text :
       {"", "123e4567e89b12d3a456426614174000", "{123e4567-e89b-12d3-a456-426614174000}",
        "123e4567-e89b-12d3-a456-42661417400", "123e4567-e89b-12d3-a456-4266141740000",
        "123e4567-e89b-12d3-a456-42661417400g", "123e4567-e89b-12d3-a456_426614174000",
        "123e456-7e89b-12d3-a456-426614174000", "------------------------------------", "sim_message"}) {
    EXPECT_FALSE(IsUuid(text)) << text;
  }
}

TEST(IsE164Test, AcceptsSevenToFifteenDigitsAfterThePlus) {
  for (const char* text : {"+9665123", "+966512345678", "+123456789012345"}) EXPECT_TRUE(IsE164(text)) << text;
}

TEST(IsE164Test, RefusesEverythingElse) {
  for (const char* text : {"", "+", "966512345678", "+966512", "+1234567890123456", "+0665123456", "+96651234567a",
                           "+966 512345678", " +966512345678", "+966512345678 ", "++66512345678", "+٩٦٦٥١٢٣٤"}) {
    EXPECT_FALSE(IsE164(text)) << text;
  }
}

}  // namespace
}  // namespace aulm::gateway
