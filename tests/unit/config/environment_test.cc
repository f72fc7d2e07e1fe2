#include "service/config/environment.h"

#include <stdlib.h>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace aulm::gateway {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(EnvironmentTest, TakesOnlyItsOwnVariablesOfTheProcess) {
  setenv("GATEWAY_TEST_MARK", "a=b", 1);
  setenv("OTHER_TEST_MARK", "x", 1);
  const Environment environment = ProcessEnvironment();
  unsetenv("GATEWAY_TEST_MARK");
  unsetenv("OTHER_TEST_MARK");
  ASSERT_TRUE(environment.contains("GATEWAY_TEST_MARK"));
  EXPECT_EQ(environment.at("GATEWAY_TEST_MARK"), "a=b");
  EXPECT_FALSE(environment.contains("OTHER_TEST_MARK"));
  EXPECT_FALSE(environment.contains("PATH"));
}

TEST(EnvironmentTest, TellsUnknownVariablesAndWhatWasMeant) {
  EXPECT_THAT(DescribeUnknownVariables({{"GATEWAY_GRPC_LISTN", "127.0.0.1:1"}, {"AULM_TOKEN", "canary"}}),
              ElementsAre("AULM_TOKEN: not a variable of the gateway, ignored",
                          "GATEWAY_GRPC_LISTN: not a variable of the gateway, ignored: did you mean "
                          "GATEWAY_GRPC_LISTEN?"));
}

TEST(EnvironmentTest, IsSilentAboutKnownVariablesAndThoseOfOthers) {
  EXPECT_THAT(DescribeUnknownVariables({{"AULM_API_KEY", "x"},
                                        {"AULM_API_KEY_FILE", "x"},
                                        {"AULM_BASE_URL", "x"},
                                        {"AULM_WEBHOOK_SECRET", "x"},
                                        {"AULM_WEBHOOK_SECRET_FILE", "x"},
                                        {"GATEWAY_ADMIN_LISTEN", "x"},
                                        {"GATEWAY_CONFIG", "x"},
                                        {"GATEWAY_GRPC_LISTEN", "x"},
                                        {"GATEWAY_STORE", "x"},
                                        {"GATEWAY_WEBHOOK_LISTEN", "x"},
                                        {"AULM_GATEWAY_BIN", "x"},
                                        {"HOME", "x"}}),
              IsEmpty());
}

TEST(EnvironmentTest, IsSilentAboutKubernetesServiceLinks) {
  EXPECT_THAT(DescribeUnknownVariables({{"GATEWAY_SERVICE_HOST", "10.0.0.1"},
                                        {"GATEWAY_SERVICE_PORT", "1"},
                                        {"GATEWAY_SERVICE_PORT_GRPC", "1"},
                                        {"GATEWAY_PORT", "tcp://10.0.0.1:1"},
                                        {"GATEWAY_PORT_50051_TCP", "tcp://10.0.0.1:1"},
                                        {"GATEWAY_PORT_50051_TCP_ADDR", "10.0.0.1"},
                                        {"AULM_SIMULATOR_PORT_1_UDP_PROTO", "udp"}}),
              IsEmpty());
}

}  // namespace
}  // namespace aulm::gateway
