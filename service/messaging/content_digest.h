#pragma once

#include <string>

#include "service/messaging/send.h"

namespace aulm::gateway {

// SHA-256 (32 bytes) over what a send says and to whom: kind, session, recipient, text or image, caption. Two sends
// with the same digest are the same message; labels, deadline and trace context do not count.
std::string ContentDigest(const Send& send);

}  // namespace aulm::gateway
