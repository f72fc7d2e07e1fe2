#include "service/aulm/curl_transfer.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "service/base/log.h"

namespace aulm::gateway {
namespace {

// A libcurl that refuses one of these options cannot keep what curl_transport.h promises.
template <typename Value>
void Set(CURL* easy, CURLoption option, Value value) {
  const CURLcode code = curl_easy_setopt(easy, option, value);
  if (code == CURLE_OK) return;
  LogLine(LogLevel::kError, "curl_option_refused").Field("option", static_cast<int64_t>(option));
  abort();
}

// About as many as aulm sends with an answer, and those that a proxy before it adds.
constexpr size_t kUsualHeaders = 16;

long Seconds(absl::Duration duration) { return static_cast<long>(absl::ToInt64Seconds(duration)); }

bool FitsOnALine(absl::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) { return c == '\r' || c == '\n' || c == '\0'; });
}

bool IsConnectFailure(CURLcode code) {
  switch (code) {
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_URL_MALFORMAT:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_OPERATION_TIMEDOUT:  // the connect timeout is the only one that libcurl is given
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_ENGINE_NOTFOUND:
    case CURLE_SSL_ENGINE_SETFAILED:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_USE_SSL_FAILED:
    case CURLE_SSL_ENGINE_INITFAILED:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_SHUTDOWN_FAILED:
    case CURLE_SSL_CRL_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_NO_CONNECTION_AVAILABLE:
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_PROXY:
      return true;
    default:
      return false;
  }
}

}  // namespace

CurlTransfer::CurlTransfer(const CurlTransportOptions& options)
    : max_answer_bytes_(options.max_answer_bytes), easy_(curl_easy_init()) {
  if (easy_ == nullptr) abort();  // out of memory
  Set(easy_, CURLOPT_PRIVATE, static_cast<void*>(this));
  Set(easy_, CURLOPT_ERRORBUFFER, error_);
  Set(easy_, CURLOPT_NOSIGNAL, 1L);
  Set(easy_, CURLOPT_PROTOCOLS_STR, "https,http");  // AulmClient lets plain http through to loopback alone
  Set(easy_, CURLOPT_FOLLOWLOCATION, 0L);
  // Set even when empty: libcurl would take a proxy from the environment otherwise.
  Set(easy_, CURLOPT_PROXY, options.proxy.c_str());
  Set(easy_, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  Set(easy_, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  Set(easy_, CURLOPT_SSL_VERIFYPEER, 1L);
  Set(easy_, CURLOPT_SSL_VERIFYHOST, 2L);
  if (!options.ca_file.empty()) Set(easy_, CURLOPT_CAINFO, options.ca_file.c_str());
  Set(easy_, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(absl::ToInt64Milliseconds(options.connect_timeout)));
  Set(easy_, CURLOPT_MAXAGE_CONN, Seconds(options.max_idle));
  Set(easy_, CURLOPT_MAXLIFETIME_CONN, Seconds(options.max_connection_age));
  Set(easy_, CURLOPT_TCP_KEEPALIVE, 1L);
  // Ending a transfer must not wait for the resolver's thread: that would hold up every other call.
  Set(easy_, CURLOPT_QUICK_EXIT, 1L);
  Set(easy_, CURLOPT_PREREQFUNCTION, &CurlTransfer::OnRequest);
  Set(easy_, CURLOPT_PREREQDATA, static_cast<void*>(this));
  Set(easy_, CURLOPT_HEADERFUNCTION, &CurlTransfer::OnHeader);
  Set(easy_, CURLOPT_HEADERDATA, static_cast<void*>(this));
  Set(easy_, CURLOPT_WRITEFUNCTION, &CurlTransfer::OnWrite);
  Set(easy_, CURLOPT_WRITEDATA, static_cast<void*>(this));
}

CurlTransfer::~CurlTransfer() { curl_easy_cleanup(easy_); }

bool CurlTransfer::Begin(HttpTransport::ExchangeId id, HttpRequest request, std::shared_ptr<HttpExchange> exchange) {
  id_ = id;
  request_ = std::move(request);
  exchange_ = std::move(exchange);
  const bool is_post = request_.method == "POST";
  // Without a body there would be no telling whether the request was written.
  if (is_post == request_.body.empty() || (!is_post && request_.method != "GET")) return false;
  if (!FitsOnALine(request_.url)) return false;
  if (!ListHeaders()) return false;
  if (is_post) {
    Set(easy_, CURLOPT_POST, 1L);
    Set(easy_, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request_.body.size()));
    Set(easy_, CURLOPT_POSTFIELDS, request_.body.data());  // not copied
  } else {
    Set(easy_, CURLOPT_HTTPGET, 1L);
  }
  // HTTP/2 by ALPN alone. Waiting for a connection that may turn out to multiplex is worth it where ALPN settles that
  // with the handshake; over plain http it would wait for the first answer.
  const bool is_tls = absl::StartsWith(request_.url, "https:");
  Set(easy_, CURLOPT_HTTP_VERSION, static_cast<long>(is_tls ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1));
  Set(easy_, CURLOPT_PIPEWAIT, is_tls ? 1L : 0L);
  Set(easy_, CURLOPT_HTTPHEADER, headers_.data());
  // A URL that libcurl cannot read fails when the transfer starts, as CURLE_URL_MALFORMAT.
  return curl_easy_setopt(easy_, CURLOPT_URL, request_.url.c_str()) == CURLE_OK;
}

bool CurlTransfer::ListHeaders() {
  constexpr absl::string_view kExpect = "Expect:";  // no waiting for 100 before a large body
  header_lines_.clear();
  for (const auto& [name, value] : request_.headers) {
    if (!FitsOnALine(name) || !FitsOnALine(value)) return false;
    absl::StrAppend(&header_lines_, name, ": ", value);
    header_lines_.push_back('\0');
  }
  header_lines_.append(kExpect.data(), kExpect.size() + 1);
  headers_.clear();
  headers_.resize(request_.headers.size() + 1);
  char* line = header_lines_.data();
  for (size_t i = 0; i < headers_.size(); ++i) {
    headers_[i] = {line, i + 1 < headers_.size() ? &headers_[i + 1] : nullptr};
    line += std::strlen(line) + 1;
  }
  return true;
}

void CurlTransfer::Clear() {
  Set(easy_, CURLOPT_HTTPHEADER, static_cast<curl_slist*>(nullptr));
  Set(easy_, CURLOPT_POSTFIELDS, static_cast<char*>(nullptr));
  error_[0] = '\0';
  id_ = 0;
  request_ = HttpRequest();
  exchange_.reset();
  response_ = HttpResponse();
  written_ = false;
  refused_second_ = false;
  answer_bytes_ = 0;
  answer_too_large_ = false;
  due = INT64_MAX;
  detached = false;
}

HttpResult CurlTransfer::Result(CURLcode code) {
  if (code == CURLE_OK) {
    long status = 0;
    curl_easy_getinfo(easy_, CURLINFO_RESPONSE_CODE, &status);
    response_.status = static_cast<int>(status);
    return std::move(response_);
  }
  HttpFailure failure;
  failure.written = written();
  // A failure that libcurl calls one of connecting can also end a connection that was up (a TLS alert): what is written
  // decides.
  failure.reason = IsConnectFailure(code) && !written() ? HttpFailure::Reason::kConnect : HttpFailure::Reason::kBroken;
  if (answer_too_large_) {
    failure.message = absl::StrCat("the answer is larger than ", max_answer_bytes_, " bytes");
  } else if (refused_second_) {
    failure.message = "the connection was closed without an answer";
  } else {
    failure.message = error_[0] != '\0' ? error_ : curl_easy_strerror(code);
  }
  return failure;
}

int CurlTransfer::OnRequest(void* self, char*, char*, int, int) {
  auto& transfer = *static_cast<CurlTransfer*>(self);
  if (transfer.request_.method != "POST") return CURL_PREREQFUNC_OK;  // repeating a read does no harm
  if (transfer.written_) {
    // libcurl is about to send it again. Whether aulm acted on the first one nobody knows.
    transfer.refused_second_ = true;
    return CURL_PREREQFUNC_ABORT;
  }
  transfer.written_ = true;
  return CURL_PREREQFUNC_OK;
}

bool CurlTransfer::Take(size_t bytes) {
  answer_bytes_ += bytes;
  answer_too_large_ = answer_bytes_ > max_answer_bytes_;
  return !answer_too_large_;
}

size_t CurlTransfer::OnHeader(char* data, size_t size, size_t count, void* self) {
  auto& transfer = *static_cast<CurlTransfer*>(self);
  const size_t bytes = size * count;
  if (!transfer.Take(bytes)) return 0;
  absl::string_view line(data, bytes);
  if (absl::StartsWith(line, "HTTP/")) {
    transfer.response_.headers.clear();  // those before belong to a 1xx
    return bytes;
  }
  const size_t colon = line.find(':');
  if (colon == absl::string_view::npos || !transfer.response_.body.empty()) return bytes;  // the end, or trailers
  if (transfer.response_.headers.empty()) transfer.response_.headers.reserve(kUsualHeaders);
  transfer.response_.headers.emplace_back(absl::AsciiStrToLower(line.substr(0, colon)),
                                          absl::StripAsciiWhitespace(line.substr(colon + 1)));
  return bytes;
}

size_t CurlTransfer::OnWrite(char* data, size_t size, size_t count, void* self) {
  auto& transfer = *static_cast<CurlTransfer*>(self);
  const size_t bytes = size * count;
  if (!transfer.Take(bytes)) return 0;
  transfer.response_.body.append(data, bytes);
  return bytes;
}

}  // namespace aulm::gateway
