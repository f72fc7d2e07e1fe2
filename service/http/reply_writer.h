#pragma once

#include <ctime>
#include <string>

#include "absl/strings/string_view.h"
#include "service/http/http_service.h"

namespace aulm::gateway {

// How an answer goes out on its connection.
struct ReplyForm {
  bool close = false;      // the connection ends with it
  bool http_1_0 = false;   // the peer keeps a connection open only when told to
  absl::string_view date;  // of the Date field
};

// Appends the status line and header of `reply` to `out`, up to and with the empty line.
void AppendReplyHead(const ServedReply& reply, const ReplyForm& form, std::string& out);

// `time` as HTTP writes dates: "Sun, 06 Nov 1994 08:49:37 GMT".
std::string HttpDate(std::time_t time);

}  // namespace aulm::gateway
