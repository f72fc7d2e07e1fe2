#pragma once

#include <array>
#include <optional>
#include <utility>

#include "absl/strings/string_view.h"
#include "service/base/log.h"

namespace aulm::gateway {

// The log's levels as the configuration writes them.
inline constexpr std::array<std::pair<LogLevel, absl::string_view>, 5> kLogLevelNames = {{
    {LogLevel::kTrace, "trace"},
    {LogLevel::kDebug, "debug"},
    {LogLevel::kInfo, "info"},
    {LogLevel::kWarn, "warn"},
    {LogLevel::kError, "error"},
}};

inline absl::string_view LogLevelName(LogLevel level) {
  for (const auto& [value, name] : kLogLevelNames) {
    if (value == level) return name;
  }
  return "info";
}

inline std::optional<LogLevel> ParseLogLevel(absl::string_view text) {
  for (const auto& [value, name] : kLogLevelNames) {
    if (name == text) return value;
  }
  return std::nullopt;
}

}  // namespace aulm::gateway
