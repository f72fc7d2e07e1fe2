#pragma once

#include <string>

#include "aulm/gateway/v1/event.pb.h"

namespace aulm::gateway::ctl {

// One event as one line for people: when the gateway got it, what it is, the session's first characters, the other
// side, and what it says. A raw body follows on a line of its own, where the event has one. No line end.
std::string EventText(const v1::Event& event);

}  // namespace aulm::gateway::ctl
