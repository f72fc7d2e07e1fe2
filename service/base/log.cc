#include "service/base/log.h"

#include <spdlog/async.h>
#include <spdlog/async_logger.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "service/base/text.h"

namespace aulm::gateway {
namespace {

constexpr size_t kLongestField = 512;
constexpr size_t kQueuedLines = 8192;

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
  for (const char c : value) {
    if (c == '"' || c == '\\') {
      line.push_back('\\');
      line.push_back(c);
    } else if (static_cast<unsigned char>(c) < 0x20) {
      absl::StrAppend(&line, "\\u00");
      line.push_back(kHex[(c >> 4) & 0xf]);
      line.push_back(kHex[c & 0xf]);
    } else {
      line.push_back(c);
    }
  }
}

spdlog::level::level_enum SpdlogLevel(LogLevel level) {
  switch (level) {
    case LogLevel::kTrace:
      return spdlog::level::trace;
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarn:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

void SetUp(spdlog::logger& logger) {
  logger.set_pattern("%v");
  logger.set_level(spdlog::level::trace);  // LogLine has looked at the level already
  logger.flush_on(spdlog::level::warn);
}

// Writes on the caller's thread. Never destroyed: lines may come while the process ends.
spdlog::logger& DirectLogger() {
  static spdlog::logger& logger = *[] {
    auto* made = new spdlog::logger("direct", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    SetUp(*made);
    return made;
  }();
  return logger;
}

// The started log's, or null. Owned by spdlog's registry from StartLog to StopLog.
std::atomic<spdlog::logger*> g_started{nullptr};

}  // namespace

void StartLog(LogLevel level) {
  g_level = level;
  spdlog::init_thread_pool(kQueuedLines, 1);
  // Overrun-oldest: under a flood of lines the service goes on and old lines are lost, never the other way round.
  auto logger =
      std::make_shared<spdlog::async_logger>("log", std::make_shared<spdlog::sinks::stderr_sink_mt>(),
                                             spdlog::thread_pool(), spdlog::async_overflow_policy::overrun_oldest);
  SetUp(*logger);
  g_started = logger.get();
  spdlog::register_logger(std::move(logger));
  spdlog::flush_every(std::chrono::seconds(1));
}

void StopLog() {
  g_started = nullptr;
  spdlog::shutdown();  // drains the queue
}

LogLine::LogLine(LogLevel level, absl::string_view event) : level_(level), on_(level >= g_level.load()) {
  if (!on_) return;
  line_.reserve(256);
  absl::StrAppend(&line_, "{\"time\":\"", absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", absl::Now(), absl::UTCTimeZone()),
                  "\",\"level\":\"", Name(level), "\",\"event\":\"");
  AppendEscaped(line_, event);
  line_.push_back('"');
}

LogLine::~LogLine() {
  if (!on_) return;
  line_.push_back('}');
  spdlog::logger* const started = g_started.load();
  spdlog::logger& logger = started != nullptr ? *started : DirectLogger();
  logger.log(SpdlogLevel(level_), spdlog::string_view_t(line_.data(), line_.size()));
}

void LogLine::Key(absl::string_view key) { absl::StrAppend(&line_, ",\"", key, "\":"); }

LogLine& LogLine::Field(absl::string_view key, absl::string_view value) {
  if (!on_) return *this;
  Key(key);
  line_.push_back('"');
  AppendEscaped(line_, RepairUtf8(value.substr(0, kLongestField)));
  line_.push_back('"');
  return *this;
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
