#include "tests/simulator/simulator_process.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/simulator/test_client.h"
#include "tests/simulator/webhook_sink.h"

namespace aulm::simulator {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

// A self-signed certificate for 127.0.0.1, valid for an hour, in two files.
struct Certificate {
  Certificate() {
    const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(EVP_EC_gen("P-256"), EVP_PKEY_free);
    const std::unique_ptr<X509, decltype(&X509_free)> x509(X509_new(), X509_free);
    X509_set_version(x509.get(), 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x509.get()), 1);
    X509_gmtime_adj(X509_getm_notBefore(x509.get()), -60);
    X509_gmtime_adj(X509_getm_notAfter(x509.get()), 3600);
    X509_set_pubkey(x509.get(), key.get());
    X509_NAME* name = X509_get_subject_name(x509.get());
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("simulator"), -1, -1,
                               0);
    X509_set_issuer_name(x509.get(), name);
    const std::unique_ptr<X509_EXTENSION, decltype(&X509_EXTENSION_free)> names(
        X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, "IP:127.0.0.1"), X509_EXTENSION_free);
    X509_add_ext(x509.get(), names.get(), -1);
    X509_sign(x509.get(), key.get(), EVP_sha256());
    const std::string base = ::testing::TempDir() + absl::StrCat("/simulator-", getpid());
    certificate_file = base + ".crt";
    key_file = base + ".key";
    std::FILE* file = std::fopen(certificate_file.c_str(), "w");
    PEM_write_X509(file, x509.get());
    std::fclose(file);
    file = std::fopen(key_file.c_str(), "w");
    PEM_write_PrivateKey(file, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
    std::fclose(file);
  }
  ~Certificate() {
    unlink(certificate_file.c_str());
    unlink(key_file.c_str());
  }

  std::string certificate_file;
  std::string key_file;
};

// Runs the program to its end; its exit status and what it wrote to both outputs.
std::pair<int, std::string> RunProgram(const std::string& arguments) {
  const char* folder = std::getenv("AULM_GATEWAY_BIN");
  std::FILE* pipe =
      popen(absl::StrCat(folder == nullptr ? "." : folder, "/aulm-simulator ", arguments, " 2>&1").c_str(), "r");
  std::string output;
  char bytes[4096];
  while (const size_t count = std::fread(bytes, 1, sizeof(bytes), pipe)) output.append(bytes, count);
  const int status = pclose(pipe);
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, output};
}

TEST(SimulatorProcessTest, SigtermEndsWithStatusZero) {
  auto simulator = SimulatorProcess::Start();
  ASSERT_TRUE(simulator.ok()) << simulator.status();
  EXPECT_EQ(TestClient((*simulator)->address()).SendText(TextTo("+966512345678")).status, 201);
  EXPECT_EQ((*simulator)->Terminate(), 0);
}

TEST(SimulatorProcessTest, BadArgumentsEndWithStatusTwo) {
  const auto [status, output] = RunProgram("--fault-drop=2");
  EXPECT_EQ(status, 2);
  EXPECT_THAT(output, HasSubstr("--fault-drop 2: expected a probability from 0 to 1"));
  EXPECT_FALSE(SimulatorProcess::Start({"--nonsense"}).ok());
}

TEST(SimulatorProcessTest, ATakenPortEndsWithStatusTwo) {
  auto simulator = SimulatorProcess::Start();
  ASSERT_TRUE(simulator.ok()) << simulator.status();
  const auto [status, output] = RunProgram("--listen " + (*simulator)->address());
  EXPECT_EQ(status, 2);
  EXPECT_THAT(output, HasSubstr("cannot listen on " + (*simulator)->address()));
}

TEST(SimulatorProcessTest, AMissingCertificateEndsWithStatusTwo) {
  const auto [status, output] = RunProgram("--listen 127.0.0.1:0 --tls-cert /nowhere.crt --tls-key /nowhere.key");
  EXPECT_EQ(status, 2);
  EXPECT_THAT(output, HasSubstr("/nowhere.crt"));
}

TEST(SimulatorProcessTest, HelpEndsWithStatusZero) {
  const auto [status, output] = RunProgram("--help");
  EXPECT_EQ(status, 0);
  EXPECT_THAT(output, StartsWith("aulm-simulator: "));
}

TEST(SimulatorProcessTest, ServesHttps) {
  const Certificate certificate;
  auto simulator =
      SimulatorProcess::Start({"--tls-cert", certificate.certificate_file, "--tls-key", certificate.key_file});
  ASSERT_TRUE(simulator.ok()) << simulator.status();
  EXPECT_THAT((*simulator)->base_url(), StartsWith("https://"));
  TestClient client((*simulator)->address(), certificate.certificate_file);
  EXPECT_EQ(client.SendText(TextTo("+966512345678")).status, 201);
  EXPECT_EQ(client.SendText(TextTo("+966512345678")).status, 201);
  EXPECT_EQ((*simulator)->control().Requests()->size(), 2u);
}

TEST(SimulatorProcessTest, SendsWebhooksToHttpsEndpointsThatItCanVerify) {
  const Certificate certificate;
  WebhookSink sink(certificate.certificate_file, certificate.key_file);
  auto simulator = SimulatorProcess::Start(
      {"--webhook-url", sink.url(), "--webhook-ca", certificate.certificate_file, "--retry-attempts=1"});
  ASSERT_TRUE(simulator.ok()) << simulator.status();
  ASSERT_TRUE((*simulator)->control().SendTest().ok());
  EXPECT_EQ(sink.WaitFor(1).size(), 1u);
}

TEST(SimulatorProcessTest, SendsNoWebhookToAnEndpointThatItCannotVerify) {
  const Certificate certificate;
  WebhookSink sink(certificate.certificate_file, certificate.key_file);
  auto simulator = SimulatorProcess::Start({"--webhook-url", sink.url(), "--retry-attempts=1"});
  ASSERT_TRUE(simulator.ok()) << simulator.status();
  ASSERT_TRUE((*simulator)->control().SendTest().ok());
  const auto deliveries = (*simulator)->control().WaitForDeliveries(1);
  ASSERT_TRUE(deliveries.ok()) << deliveries.status();
  EXPECT_EQ(deliveries->at(0).state, Delivery::State::kFailed);
}

TEST(SimulatorProcessTest, ResetForgetsWhatATestDid) {
  auto simulator = SimulatorProcess::Start({"--daily-limit=1"});
  ASSERT_TRUE(simulator.ok()) << simulator.status();
  TestClient client((*simulator)->address());
  EXPECT_EQ(client.SendText(TextTo("+966512345678")).status, 201);
  EXPECT_EQ(client.SendText(TextTo("+966512345678")).status, 429);
  ASSERT_TRUE((*simulator)->control().Reset().ok());
  EXPECT_TRUE((*simulator)->control().Requests()->empty());
  EXPECT_EQ(client.SendText(TextTo("+966512345678")).status, 201);
}

}  // namespace
}  // namespace aulm::simulator
