#include "tests/support/https_client.h"

#include <curl/curl.h>

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace aulm::gateway {
namespace {

// What has come of an answer, and when it is enough.
struct Watched {
  std::string body;
  const std::function<bool(absl::string_view)>& enough;
};

// 0 ends the transfer.
size_t AppendUntilEnough(char* data, size_t size, size_t count, void* to) {
  auto& watched = *static_cast<Watched*>(to);
  watched.body.append(data, size * count);
  return watched.enough(watched.body) ? 0 : size * count;
}

size_t AppendTo(char* data, size_t size, size_t count, void* text) {
  static_cast<std::string*>(text)->append(data, size * count);
  return size * count;
}

}  // namespace

struct HttpsClient::Handle {
  ~Handle() { curl_easy_cleanup(curl); }
  CURL* curl = curl_easy_init();
};

HttpsClient::HttpsClient(std::string certificates)
    : certificates_(std::move(certificates)), handle_(std::make_unique<Handle>()) {
  curl_blob blob{const_cast<char*>(certificates_.data()), certificates_.size(), CURL_BLOB_COPY};
  curl_easy_setopt(handle_->curl, CURLOPT_CAINFO_BLOB, &blob);
  curl_easy_setopt(handle_->curl, CURLOPT_SSL_VERIFYHOST, 0L);
  curl_easy_setopt(handle_->curl, CURLOPT_SSL_SESSIONID_CACHE, 0L);
  curl_easy_setopt(handle_->curl, CURLOPT_TIMEOUT, 30L);
  curl_easy_setopt(handle_->curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(handle_->curl, CURLOPT_WRITEFUNCTION, AppendTo);
}

HttpsClient::~HttpsClient() = default;
HttpsClient::HttpsClient(HttpsClient&&) noexcept = default;

void HttpsClient::OpenAnew() {
  curl_easy_setopt(handle_->curl, CURLOPT_FRESH_CONNECT, 1L);
  curl_easy_setopt(handle_->curl, CURLOPT_FORBID_REUSE, 1L);
}

absl::StatusOr<HttpsClient::Answer> HttpsClient::Perform(const std::string& url) {
  Answer answer;
  curl_easy_setopt(handle_->curl, CURLOPT_URL, url.c_str());
  curl_easy_setopt(handle_->curl, CURLOPT_WRITEDATA, &answer.body);
  if (const CURLcode code = curl_easy_perform(handle_->curl); code != CURLE_OK) {
    return absl::UnavailableError(curl_easy_strerror(code));
  }
  long status = 0;  // curl's type
  curl_easy_getinfo(handle_->curl, CURLINFO_RESPONSE_CODE, &status);
  answer.status = static_cast<int>(status);
  return answer;
}

absl::StatusOr<HttpsClient::Answer> HttpsClient::Get(const std::string& url) {
  curl_easy_setopt(handle_->curl, CURLOPT_HTTPGET, 1L);
  return Perform(url);
}

absl::StatusOr<HttpsClient::Answer> HttpsClient::GetUntil(const std::string& url,
                                                          const std::function<bool(absl::string_view)>& enough) {
  Watched watched{{}, enough};
  curl_easy_setopt(handle_->curl, CURLOPT_HTTPGET, 1L);
  curl_easy_setopt(handle_->curl, CURLOPT_URL, url.c_str());
  curl_easy_setopt(handle_->curl, CURLOPT_WRITEFUNCTION, AppendUntilEnough);
  curl_easy_setopt(handle_->curl, CURLOPT_WRITEDATA, &watched);
  const CURLcode code = curl_easy_perform(handle_->curl);
  curl_easy_setopt(handle_->curl, CURLOPT_WRITEFUNCTION, AppendTo);
  if (code != CURLE_OK && code != CURLE_WRITE_ERROR) {
    return absl::UnavailableError(absl::StrCat(curl_easy_strerror(code), " after: ", watched.body));
  }
  long status = 0;  // curl's type
  curl_easy_getinfo(handle_->curl, CURLINFO_RESPONSE_CODE, &status);
  return Answer{static_cast<int>(status), std::move(watched.body)};
}

absl::StatusOr<HttpsClient::Answer> HttpsClient::Post(const std::string& url,
                                                      const std::map<std::string, std::string>& headers,
                                                      const std::string& body) {
  curl_slist* list = nullptr;
  for (const auto& [name, value] : headers) list = curl_slist_append(list, absl::StrCat(name, ": ", value).c_str());
  curl_easy_setopt(handle_->curl, CURLOPT_HTTPHEADER, list);
  curl_easy_setopt(handle_->curl, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
  curl_easy_setopt(handle_->curl, CURLOPT_POSTFIELDS, body.data());
  absl::StatusOr<Answer> answer = Perform(url);
  curl_easy_setopt(handle_->curl, CURLOPT_HTTPHEADER, nullptr);
  curl_slist_free_all(list);
  return answer;
}

}  // namespace aulm::gateway
