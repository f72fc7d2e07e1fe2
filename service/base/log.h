#pragma once

#include <cstdint>
#include <string>
#include <type_traits>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace aulm::gateway {

enum class LogLevel { kTrace, kDebug, kInfo, kWarn, kError };

// Starts the process's log: one JSON object a line on standard error, written by a thread of its own so that no caller
// waits for a slow terminal or pipe. Before it, and in tests, lines go to standard error directly.
void StartLog(LogLevel level);

// Writes what is queued and ends the log's thread. Lines after it go to standard error directly. Only when no other
// thread can be writing a line.
void StopLog();

// One line of the log, written when it goes out of scope:
//   LogLine(LogLevel::kInfo, "send").Field("session_id", id).Field("to", MaskPhone(to));
// The first word says what happened; fields say the rest. Never give it a secret, a body or a whole phone number
// (MaskPhone). Fields of a line below the log's level cost nothing.
class LogLine {
 public:
  LogLine(LogLevel level, absl::string_view event);
  ~LogLine();

  LogLine(const LogLine&) = delete;
  LogLine& operator=(const LogLine&) = delete;

  // Escaped as JSON; bytes that are not UTF-8 become U+FFFD; cut at 512 bytes.
  LogLine& Field(absl::string_view key, absl::string_view value);
  LogLine& Field(absl::string_view key, const char* value) { return Field(key, absl::string_view(value)); }
  LogLine& Field(absl::string_view key, bool value);
  // The field trace_id, where there is a W3C traceparent to take it from: what joins the lines, spans and events of one
  // send.
  LogLine& Trace(absl::string_view traceparent);
  // In milliseconds with three decimals, an infinite one as null: name the key …_ms.
  LogLine& Field(absl::string_view key, absl::Duration value);
  template <typename Integer, std::enable_if_t<std::is_integral_v<Integer>, int> = 0>
  LogLine& Field(absl::string_view key, Integer value) {
    using Widest = std::conditional_t<std::is_signed_v<Integer>, int64_t, uint64_t>;
    return NumberField(key, static_cast<Widest>(value));
  }

 private:
  LogLine& NumberField(absl::string_view key, const absl::AlphaNum& value);
  void Key(absl::string_view key);

  LogLevel level_;
  bool on_;
  std::string line_;
};

}  // namespace aulm::gateway
