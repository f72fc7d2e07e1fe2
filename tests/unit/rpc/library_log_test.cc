#include "service/rpc/library_log.h"

#include <grpcpp/version_info.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#if GRPC_CPP_VERSION_MAJOR == 1 && GRPC_CPP_VERSION_MINOR < 65  // later ones have no log of their own
#include <grpc/support/log.h>

namespace aulm::gateway {
namespace {

// Standard error goes into a file while this lives.
class StandardError {
 public:
  StandardError() : kept_(dup(STDERR_FILENO)) {
    const int file = mkstemp(path_.data());
    dup2(file, STDERR_FILENO);
    close(file);
  }
  ~StandardError() {
    dup2(kept_, STDERR_FILENO);
    close(kept_);
    std::remove(path_.c_str());
  }
  StandardError(const StandardError&) = delete;
  StandardError& operator=(const StandardError&) = delete;

  std::string Read() const {
    std::ifstream file(path_, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(file), {});
  }

 private:
  std::string path_ = absl::StrCat(testing::TempDir(), "/stderr_XXXXXX");
  const int kept_;
};

TEST(LibraryLogTest, WhatGrpcSaysIsALineAndAFloodOfItIsCounted) {
  gpr_set_log_verbosity(GPR_LOG_SEVERITY_ERROR);  // as grpc_init does
  RouteLibraryLogs();
  const StandardError written;
  gpr_log(GPR_ERROR, "Error parsing metadata: error=bad key=k value=what was sent");
  EXPECT_THAT(written.Read(), testing::HasSubstr("error=bad key=k\","));
  size_t said = 1;
  do {
    gpr_log(GPR_ERROR, "a \"broken\" handshake");
    ++said;
  } while (!absl::StrContains(written.Read(), "\"left_out\":"));

  const std::string text = written.Read();
  EXPECT_THAT(text, testing::HasSubstr(R"("level":"warn","event":"library","library":"grpc",)"
                                       R"("message":"a \"broken\" handshake","source":"library_log_test.cc:)"));
  size_t lines = 0;
  for (const char c : text) lines += c == '\n' ? 1 : 0;
  const size_t left_out = std::strtoull(text.c_str() + text.rfind("\"left_out\":") + 11, nullptr, 10);
  EXPECT_EQ(lines + left_out, said);
}

}  // namespace
}  // namespace aulm::gateway

#endif
