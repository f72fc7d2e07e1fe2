#include "service/admin/page_access.h"

#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "service/base/system_random.h"
#include "tests/support/fake_clock.h"

namespace aulm::gateway {
namespace {

using testing::HasSubstr;
using testing::Not;

// The SHA-256 of "open sesame".
const std::string kDigest = absl::HexStringToBytes("41ef4bb0b23661e66301aac36066912dac037827b4ae63a7b1165a5aa93ed4eb");

ServedRequest Request(std::vector<HeaderView> headers) {
  ServedRequest request{};
  request.headers = std::move(headers);
  return request;
}

class PageAccessTest : public testing::Test {
 protected:
  PageAccess WithToken() {
    PageAccess::Options options;
    options.token_digests = [this] { return digests_; };
    return PageAccess(options, clock_, random_);
  }

  static std::string CookieOf(const std::string& set_cookie) { return set_cookie.substr(0, set_cookie.find(';')); }

  FakeClock clock_;
  SystemRandom random_;
  std::vector<std::string> digests_ = {kDigest};
};

TEST_F(PageAccessTest, WithoutATokenALoopbackNameIsEnough) {
  const PageAccess access({}, clock_, random_);
  EXPECT_FALSE(access.needs_token());
  for (const absl::string_view host :
       {"localhost", "LocalHost:9090", "127.0.0.1:9090", "[::1]", "[::1]:9090", "gateway.localhost:1"}) {
    EXPECT_TRUE(access.Allows(Request({{"host", host}}))) << host;
  }
}

TEST_F(PageAccessTest, WithoutATokenAnotherSitesNameGetsNothing) {
  const PageAccess access({}, clock_, random_);
  for (const absl::string_view host : {"", "evil.example", "localhost.evil.example", "evil.example:9090", "10.0.0.1",
                                       "127.0.0.1.evil.example", "[::1]x", "[::2]"}) {
    EXPECT_FALSE(access.Allows(Request({{"host", host}}))) << host;
  }
}

TEST_F(PageAccessTest, TakesTheTokenAsBearer) {
  const PageAccess access = WithToken();
  EXPECT_TRUE(access.Allows(Request({{"authorization", "Bearer open sesame"}})));
  for (const absl::string_view value : {"Bearer open", "Bearer ", "open sesame", "Basic open sesame"}) {
    EXPECT_FALSE(access.Allows(Request({{"authorization", value}}))) << value;
  }
  EXPECT_FALSE(access.Allows(Request({{"host", "localhost"}})));
}

TEST_F(PageAccessTest, GivesACookieForTheTokenAloneThatScriptsAndOtherSitesDoNotGet) {
  const PageAccess access = WithToken();
  EXPECT_EQ(access.SignIn("open"), std::nullopt);
  const std::string cookie = access.SignIn("open sesame").value_or("");
  EXPECT_THAT(cookie, HasSubstr("; HttpOnly; SameSite=Strict; Max-Age=43200"));
  EXPECT_THAT(cookie, Not(HasSubstr("sesame")));
  EXPECT_TRUE(access.Allows(Request({{"cookie", absl::StrCat("other=1; ", CookieOf(cookie))}})));
}

TEST_F(PageAccessTest, TheCookieEndsInTimeAndCannotBeStretched) {
  const PageAccess access = WithToken();
  const std::string cookie = CookieOf(access.SignIn("open sesame").value_or(""));
  const std::string stretched = absl::StrCat("aulm_gateway_page=9", cookie.substr(cookie.find('=') + 1));
  EXPECT_FALSE(access.Allows(Request({{"cookie", stretched}})));
  clock_.Advance(absl::Hours(12));
  EXPECT_FALSE(access.Allows(Request({{"cookie", cookie}})));
}

TEST_F(PageAccessTest, TheCookieEndsWithItsTokenAndNotWithAnother) {
  const PageAccess access = WithToken();
  const std::string cookie = CookieOf(access.SignIn("open sesame").value_or(""));
  digests_.insert(digests_.begin(), std::string(32, 'x'));
  EXPECT_TRUE(access.Allows(Request({{"cookie", cookie}})));
  digests_.pop_back();
  EXPECT_FALSE(access.Allows(Request({{"cookie", cookie}})));
}

TEST_F(PageAccessTest, ACookieOfAnotherProcessIsNone) {
  const std::string cookie = CookieOf(WithToken().SignIn("open sesame").value_or(""));
  EXPECT_FALSE(WithToken().Allows(Request({{"cookie", cookie}})));
}

TEST_F(PageAccessTest, OverTlsTheCookieIsForTlsAlone) {
  PageAccess::Options options;
  options.token_digests = [] { return std::vector<std::string>{kDigest}; };
  options.secure = true;
  EXPECT_TRUE(absl::EndsWith(PageAccess(options, clock_, random_).SignIn("open sesame").value_or(""), "; Secure"));
}

}  // namespace
}  // namespace aulm::gateway
