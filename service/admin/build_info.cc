#include "service/admin/build_info.h"

#include <curl/curl.h>
#include <google/protobuf/stubs/common.h>
#include <grpcpp/grpcpp.h>
#include <openssl/crypto.h>
#include <spdlog/version.h>
#include <sqlite3.h>

#include <boost/version.hpp>

#include "absl/base/config.h"
#include "absl/strings/str_cat.h"
#include "prometheus/gauge.h"
#include "service/admin/git_commit.h"  // generated: AULM_GATEWAY_COMMIT
#include "service/base/span.h"
#include "service/base/version.h"

namespace aulm::gateway {
namespace {

std::string Compiler() {
#if defined(__clang__)
  return absl::StrCat("clang ", __clang_major__, ".", __clang_minor__, ".", __clang_patchlevel__);
#else
  return absl::StrCat("gcc ", __GNUC__, ".", __GNUC_MINOR__, ".", __GNUC_PATCHLEVEL__);
#endif
}

std::string AbseilVersion() {
#if defined(ABSL_LTS_RELEASE_VERSION)
  return absl::StrCat(ABSL_LTS_RELEASE_VERSION, ".", ABSL_LTS_RELEASE_PATCH_LEVEL);
#else
  return "head";
#endif
}

}  // namespace

BuildInfo GetBuildInfo() {
  return {
      .version = std::string(GatewayVersion()),
      .commit = AULM_GATEWAY_COMMIT,
      .compiler = Compiler(),
      .libraries =
          {
              {"gRPC", grpc::Version()},
              // protobuf refuses at the start to run with another version than its headers'.
              {"protobuf", google::protobuf::internal::VersionString(GOOGLE_PROTOBUF_VERSION)},
              {"abseil", AbseilVersion()},
              {"curl", curl_version_info(CURLVERSION_NOW)->version},
              {"OpenSSL", OpenSSL_version(OPENSSL_VERSION_STRING)},
              {"SQLite", sqlite3_libversion()},
              {"Boost", absl::StrCat(BOOST_VERSION / 100'000, ".", BOOST_VERSION / 100 % 1'000)},
              {"spdlog", absl::StrCat(SPDLOG_VER_MAJOR, ".", SPDLOG_VER_MINOR, ".", SPDLOG_VER_PATCH)},
          },
      .tracing = DescribeTracing(),
  };
}

std::string DescribeBuild(const BuildInfo& info) {
  std::string text = absl::StrCat("aulm-gateway ", info.version, " (commit ", info.commit, ", ", info.compiler, ")");
  for (const auto& [name, version] : info.libraries) absl::StrAppend(&text, "\n  ", name, " ", version);
  absl::StrAppend(&text, "\n  tracing ", info.tracing);
  return text;
}

void RegisterBuildInfo(const BuildInfo& info, prometheus::Registry& registry) {
  prometheus::BuildGauge()
      .Name("aulm_gateway_build_info")
      .Help("Always 1; the labels tell what is running.")
      .Register(registry)
      .Add({{"version", info.version}, {"commit", info.commit}, {"compiler", info.compiler}})
      .Set(1);
}

}  // namespace aulm::gateway
