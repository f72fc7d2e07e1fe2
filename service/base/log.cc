#include "service/base/log.h"

#include <unistd.h>

#include <atomic>
#include <cmath>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "service/base/log_writer.h"
#include "service/base/text.h"
#include "service/base/traceparent.h"
#include "service/base/utc_text.h"

namespace aulm::gateway {
namespace {

constexpr size_t kLongestField = 512;

std::atomic<LogLevel> g_level{LogLevel::kInfo};

constexpr absl::string_view Name(LogLevel level) {
  switch (level) {
    case LogLevel::kTrace:
      return "trace";
    case LogLevel::kDebug:
      return "debug";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarn:
      return "warn";
    case LogLevel::kError:
      return "error";
  }
  return "info";
}

void AppendEscaped(std::string& line, absl::string_view value) {
  constexpr char kHex[] = "0123456789abcdef";
  size_t done = 0;
  for (size_t i = 0; i < value.size(); ++i) {
    const auto c = static_cast<unsigned char>(value[i]);
    if (c >= 0x20 && c != '"' && c != '\\') continue;
    line.append(value.data() + done, i - done);
    done = i + 1;
    if (c >= 0x20) {
      line.push_back('\\');
      line.push_back(value[i]);
    } else {
      line.append("\\u00");
      line.push_back(kHex[c >> 4]);
      line.push_back(kHex[c & 0xf]);
    }
  }
  line.append(value.data() + done, value.size() - done);
}

std::string Begin(LogLevel level, absl::string_view event) {
  std::string line;
  line.reserve(448);
  absl::StrAppend(&line, "{\"time\":\"", UtcMilliseconds(absl::Now()), "\",\"level\":\"", Name(level),
                  "\",\"event\":\"");
  AppendEscaped(line, event);
  line.push_back('"');
  return line;
}

std::string LostLine(uint64_t lines) {
  return absl::StrCat(Begin(LogLevel::kWarn, "log_lines_lost"), ",\"lines\":", lines, "}\n");
}

// The started log's, from StartLog to StopLog; else null.
std::atomic<LogWriter*> g_started{nullptr};

}  // namespace

void StartLog(LogLevel level) {
  g_level = level;
  g_started = new LogWriter(STDERR_FILENO, &LostLine, LogWriter::Options());
}

void StopLog() { delete g_started.exchange(nullptr); }

LogLine::LogLine(LogLevel level, absl::string_view event) : level_(level), on_(level >= g_level.load()) {
  if (on_) line_ = Begin(level, event);
}

LogLine::~LogLine() {
  if (!on_) return;
  line_.append("}\n");
  if (LogWriter* const started = g_started.load(); started != nullptr) {
    started->Write(line_, /*urgent=*/level_ >= LogLevel::kWarn);
  } else {
    [[maybe_unused]] const ssize_t put = write(STDERR_FILENO, line_.data(), line_.size());
  }
}

void LogLine::Key(absl::string_view key) { absl::StrAppend(&line_, ",\"", key, "\":"); }

LogLine& LogLine::Field(absl::string_view key, absl::string_view value) {
  if (!on_) return *this;
  Key(key);
  line_.push_back('"');
  const absl::string_view shown = value.substr(0, kLongestField);
  if (IsAscii(shown)) {
    AppendEscaped(line_, shown);
  } else {
    AppendEscaped(line_, RepairUtf8(shown));
  }
  line_.push_back('"');
  return *this;
}

LogLine& LogLine::Trace(absl::string_view traceparent) {
  const absl::string_view id = TraceIdOf(traceparent);
  return id.empty() ? *this : Field("trace_id", id);
}

LogLine& LogLine::Field(absl::string_view key, bool value) {
  if (!on_) return *this;
  Key(key);
  absl::StrAppend(&line_, value ? "true" : "false");
  return *this;
}

LogLine& LogLine::Field(absl::string_view key, absl::Duration value) {
  if (!on_) return *this;
  Key(key);
  const double milliseconds = absl::ToDoubleMilliseconds(value);
  if (std::isfinite(milliseconds)) {
    absl::StrAppendFormat(&line_, "%.3f", milliseconds);
  } else {
    absl::StrAppend(&line_, "null");  // JSON has no infinity
  }
  return *this;
}

LogLine& LogLine::NumberField(absl::string_view key, const absl::AlphaNum& value) {
  if (!on_) return *this;
  Key(key);
  absl::StrAppend(&line_, value);
  return *this;
}

}  // namespace aulm::gateway
