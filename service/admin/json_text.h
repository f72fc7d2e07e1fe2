#pragma once

#include <boost/json/string.hpp>
#include <string>

#include "absl/strings/string_view.h"
#include "service/base/text.h"

namespace aulm::gateway {

// `text` as a JSON value, with U+FFFD for what is no UTF-8 in it: JSON has no other bytes.
inline boost::json::string JsonText(absl::string_view text) {
  const std::string repaired = RepairUtf8(text);
  return boost::json::string(repaired.data(), repaired.size());
}

}  // namespace aulm::gateway
