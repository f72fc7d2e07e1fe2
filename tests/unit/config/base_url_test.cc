#include "service/config/base_url.h"

#include <string>
#include <utility>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace aulm::gateway {
namespace {

TEST(BaseUrlTest, GivesSchemeAndHostWithoutTheSlashAtTheEnd) {
  const std::pair<std::string, std::string> cases[] = {
      {"https://api.aulm.io", "https://api.aulm.io"},
      {"https://api.aulm.io/", "https://api.aulm.io"},
      {"HTTPS://API.aulm.io:8443", "https://api.aulm.io:8443"},
      {"http://127.0.0.1:9000", "http://127.0.0.1:9000"},
      {"http://localhost", "http://localhost"},
      {"http://[::1]:9000/", "http://[::1]:9000"},
      {"http://[::1]", "http://[::1]"},
      {"https://[2001:db8::1]", "https://[2001:db8::1]"},
  };
  for (const auto& [text, base_url] : cases) {
    const auto parsed = ParseBaseUrl(text);
    ASSERT_TRUE(parsed.ok()) << text << ": " << parsed.status();
    EXPECT_EQ(*parsed, base_url);
  }
}

TEST(BaseUrlTest, RefusesPlainHttpToOtherMachines) {
  for (const std::string text : {"http://api.aulm.io", "http://10.0.0.1:80", "http://[::2]:80", "http://0.0.0.0:80",
                                 "http://localhost.example.com", "http://127.0.0.1.example.com"}) {
    EXPECT_THAT(std::string(ParseBaseUrl(text).status().message()),
                testing::StartsWith("would send the key in the clear"))
        << text;
  }
}

TEST(BaseUrlTest, RefusesWhatIsMoreOrLessThanSchemeAndHost) {
  for (const std::string text : {"",
                                 "api.aulm.io",
                                 "//api.aulm.io",
                                 "ftp://api.aulm.io",
                                 "https://",
                                 "https:///",
                                 "https://api.aulm.io/v1",
                                 "https://api.aulm.io//",
                                 "https://api.aulm.io?x",
                                 "https://api.aulm.io#x",
                                 "https://api.aulm.io/?x",
                                 "https://me@api.aulm.io",
                                 "https://me:pw@api.aulm.io",
                                 "https://api.aulm.io:0",
                                 "https://api.aulm.io:x",
                                 "https://api.aulm.io:",
                                 "https://::1",
                                 "https://a\\b",
                                 "https:// api.aulm.io",
                                 "https://api.aulm.io\n"}) {
    EXPECT_EQ(ParseBaseUrl(text).status().code(), absl::StatusCode::kInvalidArgument) << text;
  }
}

TEST(BaseUrlTest, NeverShowsAPassword) {
  EXPECT_THAT(std::string(ParseBaseUrl("https://me:canary@api.aulm.io").status().message()),
              testing::Not(testing::HasSubstr("canary")));
}

}  // namespace
}  // namespace aulm::gateway
