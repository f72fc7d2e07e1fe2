#pragma once

#include <string>

#include "google/protobuf/message.h"

namespace aulm::gateway::ctl {

// `message` as proto JSON (lowerCamelCase, base64 for bytes) in one line, without its end.
std::string JsonLine(const google::protobuf::Message& message);

}  // namespace aulm::gateway::ctl
