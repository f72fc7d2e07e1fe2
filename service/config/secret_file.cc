#include "service/config/secret_file.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace aulm::gateway {
namespace {

constexpr size_t kLargestFile = 64 << 10;
constexpr size_t kLongestKey = 512;
constexpr size_t kLongestSecret = 1024;
constexpr size_t kDigestDigits = 64;
constexpr size_t kMostDigests = 16;

absl::Status CannotRead(int error) {
  const std::string problem = absl::StrCat("cannot be read (", std::strerror(error), ")");
  return error == ENOENT ? absl::NotFoundError(problem) : absl::FailedPreconditionError(problem);
}

absl::StatusOr<std::vector<Secret>> ParseApiKey(absl::string_view content) {
  while (absl::ConsumeSuffix(&content, "\n") || absl::ConsumeSuffix(&content, "\r")) continue;
  if (content.empty()) {
    return absl::InvalidArgumentError("holds no key: put one aulm API key there, on one line");
  }
  if (absl::StrContains(content, '\n')) {
    return absl::InvalidArgumentError("holds more than one line: put one aulm API key there, on one line");
  }
  absl::string_view rest = content;
  if (!absl::ConsumePrefix(&rest, "alm_sk_live_") && !absl::ConsumePrefix(&rest, "alm_sk_test_")) {
    return absl::InvalidArgumentError(
        "begins with neither alm_sk_live_ nor alm_sk_test_: copy the whole key from aulm's dashboard");
  }
  // It goes into a header: nothing but visible characters may.
  if (rest.empty() || content.size() > kLongestKey || !std::all_of(rest.begin(), rest.end(), absl::ascii_isgraph)) {
    return absl::InvalidArgumentError(
        "is no whole aulm API key: copy the whole key from aulm's dashboard, without spaces or quotes");
  }
  return std::vector<Secret>{Secret(content)};
}

absl::StatusOr<std::vector<Secret>> ParseWebhookSecrets(absl::string_view content) {
  std::vector<Secret> secrets;
  for (absl::string_view line : absl::StrSplit(content, '\n')) {
    absl::ConsumeSuffix(&line, "\r");
    if (line.empty()) continue;
    if (line.size() > kLongestSecret) {
      return absl::InvalidArgumentError(
          absl::StrCat("holds a line of more than ", kLongestSecret, " bytes: write one secret a line"));
    }
    Secret secret(line);
    if (std::find(secrets.begin(), secrets.end(), secret) != secrets.end()) {
      return absl::InvalidArgumentError("holds a secret twice: leave one of them");
    }
    secrets.push_back(std::move(secret));
  }
  if (secrets.empty()) {
    return absl::InvalidArgumentError("holds no secret: put the endpoint's signing secret from aulm's dashboard there");
  }
  return secrets;
}

absl::StatusOr<std::vector<Secret>> ParseTokenDigests(absl::string_view content) {
  constexpr absl::string_view kRemedy =
      ": put its SHA-256 there, as printf %s \"$TOKEN\" | sha256sum | cut -d' ' -f1 prints it";
  std::vector<Secret> digests;
  for (absl::string_view line : absl::StrSplit(content, '\n')) {
    line = absl::StripAsciiWhitespace(line);
    if (line.empty()) continue;
    if (line.size() != kDigestDigits || !std::all_of(line.begin(), line.end(), absl::ascii_isxdigit)) {
      return absl::InvalidArgumentError(
          absl::StrCat("holds a line that is no SHA-256 of 64 hexadecimal digits, perhaps the token itself", kRemedy));
    }
    Secret digest(absl::HexStringToBytes(line));
    if (std::find(digests.begin(), digests.end(), digest) != digests.end()) {
      return absl::InvalidArgumentError("holds a digest twice: leave one of them");
    }
    digests.push_back(std::move(digest));
  }
  if (digests.empty()) return absl::InvalidArgumentError(absl::StrCat("holds no digest of a token", kRemedy));
  if (digests.size() > kMostDigests) {
    return absl::InvalidArgumentError(absl::StrCat("holds more than ", kMostDigests, " digests: leave out old ones"));
  }
  return digests;
}

}  // namespace

absl::StatusOr<Secret> ReadSecretFile(const std::string& path) {
  // O_NONBLOCK: a named pipe must not hold up the start.
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (file < 0) return CannotRead(errno);
  const absl::Cleanup close_file = [file] { close(file); };
  struct stat info;
  if (fstat(file, &info) != 0) return CannotRead(errno);
  if (!S_ISREG(info.st_mode)) return absl::FailedPreconditionError("is not a regular file");

  std::vector<char> content(kLargestFile + 1);
  const absl::Cleanup wipe = [&content] { OPENSSL_cleanse(content.data(), content.size()); };
  size_t size = 0;
  while (size < content.size()) {
    const ssize_t got = read(file, content.data() + size, content.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return CannotRead(errno);
    if (got == 0) break;
    size += static_cast<size_t>(got);
  }
  if (size > kLargestFile) return absl::FailedPreconditionError("is larger than 64 KiB");
  return Secret(absl::string_view(content.data(), size));
}

absl::StatusOr<std::vector<Secret>> ParseSecrets(SecretFormat format, absl::string_view content) {
  switch (format) {
    case SecretFormat::kApiKey:
      return ParseApiKey(content);
    case SecretFormat::kWebhookSecrets:
      return ParseWebhookSecrets(content);
    case SecretFormat::kTokenDigests:
      return ParseTokenDigests(content);
  }
  return absl::InvalidArgumentError("is of no known format");
}

}  // namespace aulm::gateway
