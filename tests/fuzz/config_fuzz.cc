// A configuration file, and after a NUL the lines of an environment, on their way to settings: whatever is refused is
// refused in whole lines, whatever is read means to protobuf what it means to us, and settings that are taken can be
// described and loaded again.
#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/message_differencer.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "service/config/config_json.h"
#include "service/config/describe_settings.h"
#include "service/config/make_settings.h"
#include "tests/support/test_certificate_pem.h"

namespace {

using aulm::gateway::Environment;
using aulm::gateway::Problems;
using aulm::gateway::Secret;
using aulm::gateway::config::v1::GatewayConfig;

[[noreturn]] void Fail(const char* what, const std::string& text) {
  std::fprintf(stderr, "%s:\n%s\n", what, text.c_str());
  std::abort();
}

// Stands in every secret file. Inputs that hold it themselves may show it.
constexpr char kCanary[] = "s3cret-of-a-file";
bool g_canary_is_public = false;

void CheckCanary(const std::string& text) {
  if (!g_canary_is_public && absl::StrContains(text, kCanary)) Fail("a secret is shown", text);
}

// The only files there are.
absl::StatusOr<Secret> ReadFile(const std::string& path) {
  if (path == "key") return Secret(absl::StrCat("alm_sk_test_", kCanary, "\n"));
  if (path == "secrets") return Secret(absl::StrCat(kCanary, "-a\n", kCanary, "-b\n"));
  if (path == "more-secrets") return Secret(absl::StrCat(kCanary, "-c\n"));
  if (path == "empty") return Secret();
  static const aulm::gateway::TestCertificatePem& pem =
      *new aulm::gateway::TestCertificatePem(aulm::gateway::MakeTestCertificate("gateway"));
  if (path == "cert") return Secret(pem.certificate);
  if (path == "cert-key") return Secret(pem.key);
  return absl::NotFoundError("cannot be read (No such file or directory)");
}

void CheckProblems(const Problems& problems) {
  const std::string text(problems.ToStatus().message());
  CheckCanary(text);
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    for (const char c : line) {
      if (static_cast<unsigned char>(c) < 0x20) Fail("a problem holds a control character", text);
    }
    const size_t first = line.find(": ");
    if (first == absl::string_view::npos || line.find(": ", first + 2) == absl::string_view::npos) {
      Fail("a problem lacks its field or remedy", text);
    }
  }
}

void CompareWithProtobuf(const std::string& json, const GatewayConfig& ours) {
  GatewayConfig theirs;
  // What protobuf refuses we may take (short enum values), and the other way round; but both must mean the same.
  if (!google::protobuf::util::JsonStringToMessage(json, &theirs).ok()) return;
  if (!google::protobuf::util::MessageDifferencer::Equals(ours, theirs)) {
    Fail("protobuf reads it otherwise", ours.DebugString() + "\n" + theirs.DebugString());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view input(reinterpret_cast<const char*>(data), size);
  g_canary_is_public = absl::StrContains(input, kCanary);
  const size_t end = input.find('\0');
  const std::string json(input.substr(0, end));
  Environment environment;
  if (end != absl::string_view::npos) {
    for (const absl::string_view line : absl::StrSplit(input.substr(end + 1), '\n')) {
      const std::pair<std::string, std::string> variable = absl::StrSplit(line, absl::MaxSplits('=', 1));
      environment.insert(variable);
    }
  }

  GatewayConfig config;
  Problems problems;
  if (!ReadConfigJson("c.json", json, config, problems)) {
    CheckProblems(problems);
    return 0;
  }
  CompareWithProtobuf(json, config);

  const auto settings = MakeSettings(config, environment, ReadFile, problems);
  if (!problems.empty()) {
    CheckProblems(problems);
    return 0;
  }
  const std::string described = DescribeSettings(settings);
  CheckCanary(described);
  for (const auto& account : settings.accounts) {
    // What the environment gave is in no file.
    if (account.api_key.file.empty() || account.webhook_secrets.at(0).file.empty()) return 0;
  }
  GatewayConfig again;
  if (!ReadConfigJson("c.json", described, again, problems)) Fail("the description cannot be read", described);
  const auto settings_again = MakeSettings(again, {}, ReadFile, problems);
  if (!problems.empty() || DescribeSettings(settings_again) != described) {
    Fail("the description means something else", described);
  }
  return 0;
}
