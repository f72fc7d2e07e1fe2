#pragma once

#include <boost/json/string_view.hpp>

#include "absl/strings/string_view.h"

namespace aulm::simulator {

// The same characters as Boost.JSON's own view: absl::string_view is a type of its own in some builds of Abseil.
inline boost::json::string_view ToJson(absl::string_view text) { return {text.data(), text.size()}; }

}  // namespace aulm::simulator
