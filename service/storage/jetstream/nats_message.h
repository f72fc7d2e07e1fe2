#pragma once

#include <memory>

#include "absl/strings/string_view.h"
#include "nats/nats.h"

namespace aulm::gateway {

// A message that came from NATS, with its bytes. Movable; the views live as long as it does. Used by one thread at a
// time: looking at a header parses them all, once.
class NatsMessage {
 public:
  explicit NatsMessage(natsMsg* message) : message_(message) {}

  absl::string_view subject() const { return natsMsg_GetSubject(message_.get()); }

  // Empty when there is none.
  absl::string_view reply() const {
    const char* const reply = natsMsg_GetReply(message_.get());
    return reply == nullptr ? absl::string_view() : absl::string_view(reply);
  }

  absl::string_view data() const {
    return {natsMsg_GetData(message_.get()), static_cast<size_t>(natsMsg_GetDataLength(message_.get()))};
  }

  // Empty when there is no such header.
  absl::string_view Header(const char* name) const {
    const char* value = nullptr;
    if (natsMsgHeader_Get(message_.get(), name, &value) != NATS_OK || value == nullptr) return {};
    return value;
  }

  // True for what the server says when nobody listens to the subject.
  bool IsNoResponders() const { return natsMsg_IsNoResponders(message_.get()); }

 private:
  struct Destroy {
    void operator()(natsMsg* message) const { natsMsg_Destroy(message); }
  };
  std::unique_ptr<natsMsg, Destroy> message_;
};

}  // namespace aulm::gateway
