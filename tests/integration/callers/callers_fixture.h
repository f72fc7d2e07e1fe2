#pragma once

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <openssl/sha.h>

#include <cerrno>
#include <chrono>
#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/time/time.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "tests/simulator/simulator_process.h"
#include "tests/support/gateway_process.h"
#include "tests/support/temp_folder.h"
#include "tests/support/test_authority.h"

namespace aulm::gateway {

inline constexpr char kSession[] = "00000000-0000-4000-8000-000000000001";         // connected, of account default
inline constexpr char kOtherSession[] = "00000000-0000-4000-8000-000000000002";    // of account default
inline constexpr char kSecondSession[] = "00000000-0000-4000-8000-000000000006";   // connected, of account second
inline constexpr char kNobodysSession[] = "00000000-0000-4000-8000-000000000009";  // of no account

// What a call came to.
struct Answer {
  grpc::StatusCode code = grpc::StatusCode::OK;
  std::string reason;
  std::map<std::string, std::string> metadata;  // of ErrorInfo
  std::string message;
};

inline Answer AnswerOf(const grpc::Status& status) {
  Answer answer{status.error_code(), "", {}, status.error_message()};
  google::rpc::Status details;
  details.ParseFromString(status.error_details());
  google::rpc::ErrorInfo info;
  for (const auto& detail : details.details()) {
    if (!detail.UnpackTo(&info)) continue;
    answer.reason = info.reason();
    answer.metadata = {info.metadata().begin(), info.metadata().end()};
  }
  return answer;
}

inline std::string Sha256Hex(const std::string& text) {
  std::string digest(SHA256_DIGEST_LENGTH, '\0');
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(),
         reinterpret_cast<unsigned char*>(digest.data()));
  return absl::BytesToHexString(digest);
}

// Two aulm accounts in the simulator, a folder for the gateway's files, and certificates of an authority of the test's.
class TwoAccounts {
 public:
  TwoAccounts() {
    auto started = simulator::SimulatorProcess::Start({"--status-delay-ms=1", "--retry-base-ms=20"});
    EXPECT_TRUE(started.ok()) << started.status();
    simulator_ = *std::move(started);
    Write("default.key", "alm_sk_test_simulator");
    Write("second.key", "alm_sk_test_second");
    Write("default.secret", "whsec_default");
    Write("second.secret", "whsec_second");
  }

  simulator::SimulatorProcess& simulator() { return *simulator_; }
  TestAuthority& authority() { return authority_; }

  std::string Path(const std::string& name) const { return absl::StrCat(folder_.path(), "/", name); }

  void Write(const std::string& name, const std::string& content) const {
    // Renamed over the old one, as a careful operator does.
    std::ofstream(Path(name + ".new"), std::ios::binary) << content;
    EXPECT_EQ(std::rename(Path(name + ".new").c_str(), Path(name).c_str()), 0);
  }
  // A token file of that name.
  void WriteToken(const std::string& name, const std::string& token) const { Write(name, Sha256Hex(token)); }
  void WriteCertificate(const std::string& name, const TestCertificatePem& pem) const {
    Write(name + ".crt", pem.certificate);
    Write(name + ".key", pem.key);
  }

  // A gateway of its own store, which is the one of an earlier gateway of that name, with `settings` beside the two
  // accounts; in them $D stands for the folder.
  GatewayProcess StartGateway(const std::string& name, const std::string& settings,
                              const std::string& grpc_listen = "127.0.0.1:0") {
    const std::string accounts = absl::StrCat(R"("accounts": [
            {"name": "default", "api_key_file": "$D/default.key", "webhook_secret_files": ["$D/default.secret"],
             "session_ids": [")",
                                              kSession, R"(", ")", kOtherSession, R"("]},
            {"name": "second", "api_key_file": "$D/second.key", "webhook_secret_files": ["$D/second.secret"],
             "session_ids": [")",
                                              kSecondSession, R"("]}])");
    Write(name + ".json", absl::StrReplaceAll(absl::StrCat("{", settings, settings.empty() ? "" : ", ", accounts, "}"),
                                              {{"$D", folder_.path()}}));
    GatewayProcess::Options options;
    options.folder = Path(name);
    EXPECT_TRUE(mkdir(options.folder.c_str(), 0700) == 0 || errno == EEXIST);
    options.aulm_base_url = simulator_->base_url();
    options.environment = {{"GATEWAY_CONFIG", Path(name + ".json")},
                           {"AULM_API_KEY", ""},
                           {"AULM_WEBHOOK_SECRET", ""},
                           {"GATEWAY_GRPC_LISTEN", grpc_listen}};
    auto gateway = GatewayProcess::Start(options);
    EXPECT_TRUE(gateway.ok()) << gateway.status();
    if (!gateway.ok()) std::abort();
    return *std::move(gateway);
  }

  // A channel that shows `certificate` (a name of WriteCertificate, or none) and trusts the authority.
  std::shared_ptr<grpc::ChannelCredentials> Tls(const TestCertificatePem& certificate = {}) const {
    return grpc::SslCredentials({authority_.certificate(), certificate.key, certificate.certificate});
  }

 private:
  TempFolder folder_;
  TestAuthority authority_;
  std::unique_ptr<simulator::SimulatorProcess> simulator_;
};

// A connection of its own.
inline std::shared_ptr<grpc::Channel> Connect(
    const std::string& address,
    const std::shared_ptr<grpc::ChannelCredentials>& credentials = grpc::InsecureChannelCredentials()) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return grpc::CreateCustomChannel(address, credentials, arguments);
}

// Every test's outer limit for one call or one stream: never what a test waits for.
inline void SetLimit(grpc::ClientContext& context, absl::Duration limit = absl::Seconds(30)) {
  context.set_deadline(std::chrono::system_clock::now() + absl::ToChronoMilliseconds(limit));
}

}  // namespace aulm::gateway
