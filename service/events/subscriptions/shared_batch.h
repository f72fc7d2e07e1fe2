#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "service/events/encoded_page.h"
#include "service/events/frame.h"

namespace aulm::gateway {

// One delivery of a SHARED subscription: an event that is encoded already, with what makes it a delivery of its own.
struct SharedDelivery {
  std::shared_ptr<const EncodedPage> page;
  size_t index = 0;  // into page->events()
  std::string ack_token;
  uint32_t attempt = 0;
};

// What the event takes of a frame, without the token.
size_t EventBytes(const EncodedPage& page, size_t index);

// An EventBatch frame of the deliveries, without a resume_cursor.
Frame EncodeSharedBatch(const std::vector<SharedDelivery>& deliveries);

}  // namespace aulm::gateway
