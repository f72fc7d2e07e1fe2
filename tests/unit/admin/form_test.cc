#include "service/admin/form.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace aulm::gateway {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

TEST(FormTest, DecodesNamesAndValuesInTheirOrder) {
  const auto form = ParseForm("a=1&b=x+y%2Bz&a=&%C3%A4=%25");
  ASSERT_TRUE(form.ok());
  EXPECT_THAT(*form, ElementsAre(Pair("a", "1"), Pair("b", "x y+z"), Pair("a", ""), Pair("ä", "%")));
  EXPECT_EQ(ValueOf(*form, "a"), "1");
  EXPECT_EQ(ValueOf(*form, "none"), "");
}

TEST(FormTest, KnowsEmptyPartsAndValuesWithEqualSigns) {
  EXPECT_THAT(ParseForm("").value(), IsEmpty());
  EXPECT_THAT(ParseForm("&&a=b=c&d").value(), ElementsAre(Pair("a", "b=c"), Pair("d", "")));
}

TEST(FormTest, RefusesWhatIsNotPercentEncoded) {
  for (const char* text : {"a=%", "a=%4", "a=%4g", "%zz=1", "a=b%"}) EXPECT_FALSE(ParseForm(text).ok()) << text;
}

}  // namespace
}  // namespace aulm::gateway
