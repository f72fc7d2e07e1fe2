#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "service/events/encoded_page.h"
#include "service/events/frame.h"
#include "service/events/subscriptions/ack_token.h"
#include "service/events/subscriptions/shared_ledger.h"
#include "service/storage/event_log.h"

namespace aulm::gateway {

// One delivery of a SHARED subscription: an event that is encoded already, with what makes it a delivery of its own.
struct SharedDelivery {
  std::shared_ptr<const EncodedPage> page;
  size_t index = 0;  // into page->events()
  std::string ack_token;
  uint32_t attempt = 0;
};

// What was handed to one consumer, with the bytes as far as they are known.
struct SharedBatch {
  uint64_t consumer = 0;
  uint64_t epoch = 0;
  bool raw_body = false;
  std::vector<Handout> handouts;
  std::vector<SharedDelivery> deliveries;  // at the same index; page is null where the bytes are to be read

  // True when nothing has to be read.
  bool complete() const;
  // How many deliveries, from the first, fit a frame; at least one of those that there are.
  size_t FitFrame() const;
};

// Reads the events of `batch` that it lacks. What the log no longer has stays null. Blocks. Error: UNAVAILABLE.
absl::Status FetchBatch(EventLog& log, SharedBatch& batch);

// The batch as a frame, with a token for each delivery. It must be complete.
Frame EncodeWithTokens(SharedBatch& batch, const AckTokens& tokens, absl::string_view subscription_id);

// What the event takes of a frame, without the token.
size_t EventBytes(const EncodedPage& page, size_t index);

// An EventBatch frame of the deliveries, without a resume_cursor.
Frame EncodeSharedBatch(const std::vector<SharedDelivery>& deliveries);

}  // namespace aulm::gateway
