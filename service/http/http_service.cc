#include "service/http/http_service.h"

namespace aulm::gateway {

Reply::~Reply() {
  if (target_ == nullptr) return;
  ServedReply reply;
  reply.status = 503;
  std::move(*this).Send(std::move(reply));
}

void Reply::Send(ServedReply reply) && {
  const std::shared_ptr<ReplyTarget> target = std::move(target_);
  if (target != nullptr) target->Deliver(ticket_, std::move(reply));
}

absl::string_view HttpRefusalName(HttpRefusal refusal) {
  switch (refusal) {
    case HttpRefusal::kBrokenFraming:
      return "broken_framing";
    case HttpRefusal::kHeaderTooLarge:
      return "header_too_large";
    case HttpRefusal::kBodyTooLarge:
      return "body_too_large";
    case HttpRefusal::kBadExpectation:
      return "bad_expectation";
    case HttpRefusal::kUnfinished:
      return "unfinished";
    case HttpRefusal::kHeaderTime:
      return "header_time";
    case HttpRefusal::kBodyTime:
      return "body_time";
    case HttpRefusal::kWriteTime:
      return "write_time";
    case HttpRefusal::kDisplaced:
      return "displaced";
    case HttpRefusal::kConnectionLimit:
      return "connection_limit";
    case HttpRefusal::kAddressLimit:
      return "address_limit";
    case HttpRefusal::kAnswerTime:
      return "answer_time";
    case HttpRefusal::kHandshake:
      return "tls_handshake";
  }
  return "unknown";
}

}  // namespace aulm::gateway
