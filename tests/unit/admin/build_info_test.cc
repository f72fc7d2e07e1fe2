#include "service/admin/build_info.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "prometheus/text_serializer.h"
#include "service/base/version.h"

namespace aulm::gateway {
namespace {

using testing::HasSubstr;
using testing::MatchesRegex;

TEST(BuildInfoTest, KnowsVersionCompilerAndCommit) {
  const BuildInfo info = GetBuildInfo();
  EXPECT_THAT(info.version, MatchesRegex("[0-9]+\\.[0-9]+\\.[0-9]+"));
  EXPECT_EQ(info.version, GatewayVersion());
  EXPECT_THAT(info.compiler, MatchesRegex("(clang|gcc) [0-9]+\\.[0-9]+\\.[0-9]+"));
  EXPECT_THAT(info.commit, MatchesRegex("unknown|[0-9a-f]+(-dirty)?"));
}

TEST(BuildInfoTest, KnowsEveryLibrarysVersion) {
  const BuildInfo info = GetBuildInfo();
  EXPECT_EQ(info.libraries.size(), 8u);
  for (const auto& [name, version] : info.libraries) EXPECT_THAT(version, MatchesRegex("[0-9]+\\.[0-9.]+")) << name;
}

TEST(BuildInfoTest, DescribesItselfInLines) {
  const BuildInfo info = {
      .version = "1.2.3", .commit = "abc", .compiler = "gcc 12", .libraries = {{"curl", "7.88.1"}}, .tracing = "none"};
  EXPECT_EQ(DescribeBuild(info), "aulm-gateway 1.2.3 (commit abc, gcc 12)\n  curl 7.88.1\n  tracing none");
}

TEST(BuildInfoTest, IsAMetric) {
  prometheus::Registry registry;
  RegisterBuildInfo({.version = "1.2.3", .commit = "abc", .compiler = "gcc 12", .libraries = {}, .tracing = ""},
                    registry);
  EXPECT_THAT(prometheus::TextSerializer().Serialize(registry.Collect()),
              HasSubstr("aulm_gateway_build_info{commit=\"abc\",compiler=\"gcc 12\",version=\"1.2.3\"} 1\n"));
}

TEST(BuildInfoTest, TheUserAgentNamesTheVersion) {
  EXPECT_EQ(std::string(UserAgent()), "aulm-gateway/" + std::string(GatewayVersion()));
}

}  // namespace
}  // namespace aulm::gateway
