#include "service/webhook/delivery_json.h"

#include <string>

#include "gtest/gtest.h"

namespace aulm::gateway {
namespace {

const std::string kReplacement = "\xEF\xBF\xBD";

TEST(DeliveryJsonTest, ReadsTextNamesAndTruth) {
  const DeliveryJson json(R"({"a": "text", "b": 12, "c": true, "d": ""})");
  EXPECT_TRUE(json.is_object());
  EXPECT_FALSE(json.repaired());
  EXPECT_EQ(json.Text("a"), "text");
  EXPECT_EQ(json.Text("b"), std::nullopt);
  EXPECT_EQ(json.Text("d"), "");
  EXPECT_EQ(json.Name("a"), "text");
  EXPECT_EQ(json.Name("d"), std::nullopt);
  EXPECT_TRUE(json.IsTrue("c"));
  EXPECT_FALSE(json.IsTrue("a"));
  EXPECT_EQ(json.Text("absent"), std::nullopt);
}

TEST(DeliveryJsonTest, WholeNumbersAreNames) {
  const DeliveryJson json(R"({"a": -5, "b": 18446744073709551615, "c": 18446744073709551616, "d": 1.0, "e": 1e3})");
  EXPECT_EQ(json.Name("a"), "-5");
  EXPECT_EQ(json.Name("b"), "18446744073709551615");
  EXPECT_EQ(json.Name("c"), std::nullopt) << "rounded, so two of them could be mistaken for one";
  EXPECT_EQ(json.Name("d"), std::nullopt);
  EXPECT_EQ(json.Name("e"), std::nullopt);
}

TEST(DeliveryJsonTest, NullTruthListAndObjectAreNoNames) {
  const DeliveryJson json(R"({"a": null, "b": true, "c": ["x"], "d": {"x": "y"}})");
  for (const char* member : {"a", "b", "c", "d"}) {
    EXPECT_EQ(json.Name(member), std::nullopt) << member;
    EXPECT_EQ(json.Text(member), std::nullopt) << member;
  }
}

TEST(DeliveryJsonTest, OfAMemberThatComesTwiceTheLastCounts) {
  EXPECT_EQ(DeliveryJson(R"({"a": "first", "b": 1, "a": "last"})").Text("a"), "last");
}

TEST(DeliveryJsonTest, WhatIsNoObjectHasNoMembers) {
  for (const char* body : {"", "null", "[]", "\"event\"", "12", "{", "{}{}", "{} x", "{'a': 1}", "{\"a\": 1,}", "\xFF",
                           "{\"a\": NaN}", "event=message_status"}) {
    const DeliveryJson json(body);
    EXPECT_FALSE(json.is_object()) << body;
    EXPECT_EQ(json.Text("a"), std::nullopt);
  }
}

TEST(DeliveryJsonTest, DepthIsLimited) {
  const auto nested = [](size_t depth) { return "{\"a\": " + std::string(depth, '[') + std::string(depth, ']') + "}"; };
  EXPECT_TRUE(DeliveryJson(nested(31)).is_object());
  EXPECT_FALSE(DeliveryJson(nested(32)).is_object());
  EXPECT_FALSE(DeliveryJson(nested(400'000)).is_object());
  EXPECT_FALSE(DeliveryJson(std::string(1 << 20, '[')).is_object());
}

TEST(DeliveryJsonTest, BytesThatAreNoUtf8AreRepaired) {
  const DeliveryJson json("{\"a\": \"x\xFFy\", \"b\": \"\xC3\xA4\"}");
  EXPECT_TRUE(json.is_object());
  EXPECT_TRUE(json.repaired());
  EXPECT_EQ(json.Text("a"), "x" + kReplacement + "y");
  EXPECT_EQ(json.Text("b"), "\xC3\xA4");
}

TEST(DeliveryJsonTest, SurrogatesAndOverlongFormsInUtf8AreRepaired) {
  EXPECT_TRUE(DeliveryJson("{\"a\": \"\xED\xA0\x80\"}").repaired());
  EXPECT_TRUE(DeliveryJson("{\"a\": \"\xC0\x80\"}").repaired());
  EXPECT_TRUE(DeliveryJson("{\"a\": \"\xF4\x90\x80\x80\"}").repaired());
}

TEST(DeliveryJsonTest, HalvesOfEscapedSurrogatesAreRepaired) {
  EXPECT_EQ(DeliveryJson(R"({"a": "cut \ud83d"})").Text("a"), "cut " + kReplacement);
  EXPECT_EQ(DeliveryJson(R"({"a": "\ude00 tail"})").Text("a"), kReplacement + " tail");
  EXPECT_EQ(DeliveryJson(R"({"a": "\ud83d\ud83d\ude00"})").Text("a"), kReplacement + "\xF0\x9F\x98\x80");
  EXPECT_EQ(DeliveryJson(R"({"a": "\ud83dx\\u0041\"\ud800"})").Text("a"), kReplacement + "x\\u0041\"" + kReplacement);
}

TEST(DeliveryJsonTest, WholeSurrogatePairsNeedNoRepair) {
  const DeliveryJson json(R"({"a": "\ud83d\ude00"})");
  EXPECT_FALSE(json.repaired());
  EXPECT_EQ(json.Text("a"), "\xF0\x9F\x98\x80");
}

TEST(DeliveryJsonTest, ByteOrderMarkIsSkipped) { EXPECT_EQ(DeliveryJson("\xEF\xBB\xBF{\"a\": \"b\"}").Text("a"), "b"); }

TEST(DeliveryJsonTest, NulIsText) { EXPECT_EQ(DeliveryJson(R"({"a": "x\u0000y"})").Text("a"), std::string("x\0y", 3)); }

TEST(DeliveryJsonTest, BodyLargerThanItsFirstMemoryIsRead) {
  const std::string large(1 << 20, 'x');
  EXPECT_EQ(DeliveryJson("{\"a\": \"" + large + "\"}").Text("a"), large);
}

}  // namespace
}  // namespace aulm::gateway
