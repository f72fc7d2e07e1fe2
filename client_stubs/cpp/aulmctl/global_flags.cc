#include "client_stubs/cpp/aulmctl/global_flags.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "aulm/gateway/client/channel.h"
#include "grpc/grpc.h"

namespace aulm::gateway::ctl {
namespace {

constexpr size_t kMostPemBytes = 1 << 20;
constexpr size_t kMostTokenBytes = 16 << 10;

absl::Duration ParsedTimeout(const std::string& text) {
  absl::Duration timeout;
  return absl::ParseDuration(text, &timeout) ? timeout : absl::ZeroDuration();
}

std::string CheckTimeout(const std::string& text) {
  const absl::Duration timeout = ParsedTimeout(text);
  if (timeout > absl::ZeroDuration() && timeout <= absl::Hours(24)) return "";
  return "needs a number and a unit, such as 30s, 500ms or 2m, up to 24h";
}

absl::Status ReadPem(const std::string& path, std::string& pem) {
  if (path.empty()) return absl::OkStatus();
  absl::StatusOr<std::string> text = ReadWholeFile(path, kMostPemBytes);
  if (!text.ok()) return text.status();
  pem = *std::move(text);
  return absl::OkStatus();
}

}  // namespace

void GlobalFlags::AddTo(CLI::App& app) {
  constexpr char kGroup[] = "Global options";
  app.add_option("--gateway", gateway, "Where the gateway's gRPC listens")
      ->type_name("HOST:PORT")
      ->envname("AULM_GATEWAY")
      ->capture_default_str()
      ->group(kGroup);
  app.add_option("--token-file", token_file, "File with this caller's bearer token; read again for each call")
      ->type_name("FILE")
      ->group(kGroup);
  app.add_flag("--tls", tls, "Use TLS; the other --tls flags imply it")->group(kGroup);
  app.add_option("--tls-ca", tls_ca,
                 "PEM file of the authority that signed the gateway's certificate (default: the system's)")
      ->type_name("FILE")
      ->group(kGroup);
  app.add_option("--tls-cert", tls_cert, "PEM file of this client's certificate")->type_name("FILE")->group(kGroup);
  app.add_option("--tls-key", tls_key, "PEM file of its key")->type_name("FILE")->group(kGroup);
  app.add_option("--timeout", timeout, "Longest time for a call; events follow knows none")
      ->type_name("DURATION")
      ->check(CheckTimeout)
      ->capture_default_str()
      ->group(kGroup);
  app.add_flag("--json", json, "Print proto JSON, one object a line; errors too, on stderr")->group(kGroup);
}

absl::StatusOr<client::GatewayClient> GlobalFlags::OpenClient() const {
  client::ChannelOptions options;
  options.target = gateway;
  options.user_agent = "aulmctl/" AULMCTL_VERSION;
  if (tls || !tls_ca.empty() || !tls_cert.empty() || !tls_key.empty()) {
    options.tls.emplace();
    absl::Status read = ReadPem(tls_ca, options.tls->ca_pem);
    read.Update(ReadPem(tls_cert, options.tls->certificate_pem));
    read.Update(ReadPem(tls_key, options.tls->key_pem));
    if (!read.ok()) return read;
  }
  if (!token_file.empty()) {
    if (const absl::StatusOr<std::string> token = ReadWholeFile(token_file, kMostTokenBytes); !token.ok()) {
      return token.status();
    }
    options.bearer_token = [path = token_file] {
      return std::string(absl::StripAsciiWhitespace(ReadWholeFile(path, kMostTokenBytes).value_or("")));
    };
  }
  // gRPC 1.51 can take 10 s to shut down after a large request: its executor waits for a poller that nothing wakes. So
  // it is kept up past the last channel, and main ends the process without it.
  grpc_init();
  absl::StatusOr<std::shared_ptr<grpc::Channel>> channel = client::OpenChannel(options);
  if (!channel.ok()) return channel.status();
  return client::GatewayClient(*std::move(channel), {.send = Timeout(), .read = Timeout()});
}

absl::Duration GlobalFlags::Timeout() const { return ParsedTimeout(timeout); }

absl::StatusOr<std::string> ReadWholeFile(const std::string& path, size_t most_bytes) {
  struct stat info;
  if (stat(path.c_str(), &info) != 0) return absl::InvalidArgumentError(absl::StrCat(path, ": ", std::strerror(errno)));
  if (S_ISDIR(info.st_mode)) return absl::InvalidArgumentError(absl::StrCat(path, ": is a directory"));
  std::ifstream file(path, std::ios::binary);
  if (!file) return absl::InvalidArgumentError(absl::StrCat(path, ": ", std::strerror(errno)));
  std::string text(most_bytes + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (file.bad()) return absl::InvalidArgumentError(absl::StrCat(path, ": cannot be read"));
  text.resize(static_cast<size_t>(file.gcount()));
  if (text.size() > most_bytes) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": is larger than ", most_bytes, " bytes"));
  }
  return text;
}

}  // namespace aulm::gateway::ctl
