#include "service/admin/health_question.h"

#include <curl/curl.h>

#include <memory>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

namespace aulm::gateway {
namespace {

constexpr long kMostMilliseconds = 3000;  // curl's type

size_t Append(char* data, size_t size, size_t count, void* text) {
  static_cast<std::string*>(text)->append(data, size * count);
  return size * count;
}

// Where a listener on every address is reached from here.
std::string Reachable(ListenAddress address) {
  if (address.host == "0.0.0.0") address.host = "127.0.0.1";
  if (address.host == "::") address.host = "::1";
  return ToString(address);
}

}  // namespace

absl::Status AskReadiness(const ListenerSettings& admin) {
  const std::string url =
      absl::StrCat(admin.tls.has_value() ? "https://" : "http://", Reachable(admin.address), "/readyz");
  const std::unique_ptr<CURL, void (*)(CURL*)> curl(curl_easy_init(), curl_easy_cleanup);
  std::string body;
  curl_easy_setopt(curl.get(), CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl.get(), CURLOPT_PROXY, "");
  curl_easy_setopt(curl.get(), CURLOPT_TIMEOUT_MS, kMostMilliseconds);
  curl_easy_setopt(curl.get(), CURLOPT_SSL_VERIFYPEER, 0L);
  curl_easy_setopt(curl.get(), CURLOPT_SSL_VERIFYHOST, 0L);
  curl_easy_setopt(curl.get(), CURLOPT_WRITEFUNCTION, Append);
  curl_easy_setopt(curl.get(), CURLOPT_WRITEDATA, &body);
  if (const CURLcode code = curl_easy_perform(curl.get()); code != CURLE_OK) {
    return absl::UnavailableError(absl::StrCat(url, " cannot be asked: ", curl_easy_strerror(code)));
  }
  long status = 0;  // curl's type
  curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &status);
  if (status == 200) return absl::OkStatus();
  return absl::UnavailableError(
      absl::StrCat(absl::StrReplaceAll(absl::StripAsciiWhitespace(body), {{"\n", "; "}}), " (status ", status, ")"));
}

}  // namespace aulm::gateway
