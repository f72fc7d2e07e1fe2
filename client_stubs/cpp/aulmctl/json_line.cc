#include "client_stubs/cpp/aulmctl/json_line.h"

#include "google/protobuf/util/json_util.h"

namespace aulm::gateway::ctl {

std::string JsonLine(const google::protobuf::Message& message) {
  std::string json;
  // Fails for an Any of an unknown type alone, and none of our messages holds one.
  if (!google::protobuf::util::MessageToJsonString(message, &json).ok()) return "{}";
  return json;
}

}  // namespace aulm::gateway::ctl
