#include "tests/simulator/http_message.h"

#include <boost/beast/http/status.hpp>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"

namespace aulm::simulator {

const absl::string_view* HttpRequest::FindHeader(absl::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (absl::EqualsIgnoreCase(key, name)) return &value;
  }
  return nullptr;
}

absl::string_view HttpRequest::QueryValue(absl::string_view name) const {
  for (absl::string_view pair : absl::StrSplit(query, '&')) {
    const size_t equals = pair.find('=');
    if (equals != absl::string_view::npos && pair.substr(0, equals) == name) return pair.substr(equals + 1);
  }
  return {};
}

std::string HttpAnswer::Serialize(bool close) const {
  if (!raw.empty()) return raw;
  const auto reason = boost::beast::http::obsolete_reason(boost::beast::http::int_to_status(status));
  std::string bytes = absl::StrCat("HTTP/1.1 ", status, " ", absl::string_view(reason.data(), reason.size()), "\r\n");
  bytes.reserve(bytes.size() + 256 + body.size());
  bool framed = false;
  for (const auto& [name, value] : headers) {
    framed =
        framed || absl::EqualsIgnoreCase(name, "content-length") || absl::EqualsIgnoreCase(name, "transfer-encoding");
    absl::StrAppend(&bytes, name, ": ", value, "\r\n");
  }
  if (!framed) absl::StrAppend(&bytes, "content-length: ", body.size(), "\r\n");
  if (close) bytes.append("connection: close\r\n");
  absl::StrAppend(&bytes, "\r\n", body);
  return bytes;
}

HttpAnswer JsonAnswer(int status, std::string body) {
  HttpAnswer answer;
  answer.status = status;
  answer.headers.emplace_back("content-type", "application/json");
  answer.body = std::move(body);
  return answer;
}

}  // namespace aulm::simulator
