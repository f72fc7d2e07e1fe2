#include "service/http/reply_writer.h"

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"

namespace aulm::gateway {
namespace {

absl::string_view Reason(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 204:
      return "No Content";
    case 301:
      return "Moved Permanently";
    case 302:
      return "Found";
    case 303:
      return "See Other";
    case 304:
      return "Not Modified";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 413:
      return "Content Too Large";
    case 417:
      return "Expectation Failed";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 503:
      return "Service Unavailable";
    default:
      return "Status";
  }
}

}  // namespace

void AppendReplyHead(const ServedReply& reply, const ReplyForm& form, std::string& out) {
  absl::StrAppend(&out, "HTTP/1.1 ", reply.status, " ", Reason(reply.status), "\r\ndate: ", form.date, "\r\n");
  const bool never_has_body = reply.status == 204 || reply.status == 304;
  if (!never_has_body && reply.source == nullptr) absl::StrAppend(&out, "content-length: ", reply.body.size(), "\r\n");
  if (!reply.content_type.empty()) absl::StrAppend(&out, "content-type: ", reply.content_type, "\r\n");
  for (const auto& [name, value] : reply.headers) absl::StrAppend(&out, name, ": ", value, "\r\n");
  if (form.close) {
    out.append("connection: close\r\n");
  } else if (form.http_1_0) {
    out.append("connection: keep-alive\r\n");
  }
  out.append("\r\n");
}

std::string HttpDate(std::time_t time) {
  return absl::FormatTime("%a, %d %b %E4Y %H:%M:%S GMT", absl::FromTimeT(time), absl::UTCTimeZone());
}

}  // namespace aulm::gateway
