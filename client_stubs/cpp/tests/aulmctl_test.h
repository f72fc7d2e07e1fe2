#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

#include "client_stubs/cpp/tests/aulmctl_process.h"
#include "client_stubs/cpp/tests/fake_gateway.h"
#include "gtest/gtest.h"

namespace aulm::gateway::ctl {

// A folder, a gateway that the test scripts, and an aulmctl that is pointed at it.
class AulmctlTest : public testing::Test {
 protected:
  AulmctlTest() : folder_(MakeFolder()), aulmctl_(folder_, gateway_.address()) {}
  ~AulmctlTest() override { std::filesystem::remove_all(folder_); }

  const std::string folder_;
  client::FakeGateway gateway_;
  Aulmctl aulmctl_;

 private:
  static std::string MakeFolder() {
    std::string pattern = testing::TempDir() + "aulmctl-XXXXXX";
    return mkdtemp(pattern.data());
  }
};

}  // namespace aulm::gateway::ctl
