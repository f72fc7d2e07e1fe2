#pragma once

#include "absl/strings/string_view.h"
#include "aulm/gateway/config/v1/gateway_config.pb.h"
#include "service/config/problems.h"

namespace aulm::gateway {

// Reads a configuration file's text into its message: proto3 JSON as protobuf defines it (field names in snake_case or
// lowerCamelCase, 64-bit numbers also as strings, durations as "1.5s", null for absent), with enum values also in short
// ("REJECT" for ON_SIGNATURE_MISMATCH_REJECT). Unknown fields, doubled keys, wrong types and numbers out of range are
// problems, each with the field's path. protobuf's own reader stops at the first error and words it differently with
// every release, which is why this one stands here; tests hold the two to the same result.
//
// `file` names the text in problems that have no field. True when no problem was added; `config` is then complete.
bool ReadConfigJson(absl::string_view file, absl::string_view text, config::v1::GatewayConfig& config,
                    Problems& problems);

}  // namespace aulm::gateway
