// The log as it comes out of standard error: every line one JSON object, whatever was put into it.
#include "service/base/log.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"

namespace aulm::gateway {
namespace {

namespace json = boost::json;

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// Standard error led into a pipe, until Restore, Lines or the end. A pipe holds 64 KiB: more needs ReadToEnd on another
// thread beside the writers.
class StderrPipe {
 public:
  StderrPipe() : before_(dup(STDERR_FILENO)) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0 || dup2(ends[1], STDERR_FILENO) < 0) abort();
    close(ends[1]);
    read_end_ = ends[0];
  }

  ~StderrPipe() {
    Restore();
    close(read_end_);
  }

  // Gives standard error back, and what was written to it as lines.
  std::vector<std::string> Lines() {
    Restore();
    return ReadToEnd();
  }

  // Everything up to Restore, which another thread calls.
  std::vector<std::string> ReadToEnd() {
    std::string text;
    char bytes[4096];
    while (text.empty() || text.back() != kEnd) {
      const ssize_t got = read(read_end_, bytes, sizeof bytes);
      if (got <= 0) abort();
      text.append(bytes, static_cast<size_t>(got));
    }
    text.pop_back();
    return absl::StrSplit(text, '\n', absl::SkipEmpty());
  }

  void Restore() {
    if (before_ < 0) return;
    if (write(STDERR_FILENO, &kEnd, 1) != 1) abort();
    dup2(before_, STDERR_FILENO);
    close(before_);
    before_ = -1;
  }

 private:
  // No line holds it, since lines are escaped. The pipe's own end would not do: a sanitizer's symbolizer inherits it.
  static constexpr char kEnd = '\x04';

  int before_;
  int read_end_;
};

json::object Parsed(const std::string& line) {
  json::error_code error;
  json::value value = json::parse(line, error);
  EXPECT_FALSE(error) << line;
  return value.is_object() ? value.get_object() : json::object();
}

// The one line that `write` writes.
template <typename Write>
json::object OneLine(Write write) {
  StderrPipe pipe;
  write();
  const std::vector<std::string> lines = pipe.Lines();
  EXPECT_THAT(lines, SizeIs(1));
  return lines.empty() ? json::object() : Parsed(lines[0]);
}

// A text field of that line; empty when the field is absent or no text.
template <typename Write>
std::string TextOf(const char* key, Write write) {
  const json::object line = OneLine(write);
  const json::value* field = line.if_contains(key);
  return field != nullptr && field->is_string() ? std::string(field->get_string()) : "";
}

class LogTest : public testing::Test {
 protected:
  LogTest() {
    StartLog(LogLevel::kTrace);
    StopLog();
  }
};

TEST_F(LogTest, ALineTellsTimeLevelAndEventFirst) {
  StderrPipe pipe;
  LogLine(LogLevel::kWarn, "send").Field("session_id", "s1");
  const std::vector<std::string> lines = pipe.Lines();
  ASSERT_THAT(lines, SizeIs(1));
  std::vector<std::string> keys;
  for (const auto& field : Parsed(lines[0])) keys.emplace_back(field.key());
  EXPECT_THAT(keys, ElementsAre("time", "level", "event", "session_id"));
}

TEST_F(LogTest, TheTimeIsUtcInMilliseconds) {
  const absl::Time before = absl::Now() - absl::Milliseconds(1);
  const json::object line = OneLine([] { LogLine(LogLevel::kInfo, "start"); });
  absl::Time time;
  std::string error;
  const std::string text(line.at("time").as_string());
  ASSERT_TRUE(absl::ParseTime(absl::RFC3339_full, text, &time, &error)) << text << error;
  EXPECT_EQ(text.size(), std::string("2026-05-28T10:15:42.000Z").size());
  EXPECT_GE(time, before);
  EXPECT_LE(time, absl::Now());
}

TEST_F(LogTest, LevelsHaveTheirNames) {
  const std::map<LogLevel, std::string> names = {{LogLevel::kTrace, "trace"},
                                                 {LogLevel::kDebug, "debug"},
                                                 {LogLevel::kInfo, "info"},
                                                 {LogLevel::kWarn, "warn"},
                                                 {LogLevel::kError, "error"}};
  for (const auto& name : names) {
    EXPECT_EQ(TextOf("level", [&] { LogLine(name.first, "x"); }), name.second);
  }
}

TEST_F(LogTest, TextIsEscapedAndComesBackAsItWas) {
  std::string text = "quote \" backslash \\ slash / tab \t newline \n delete \x7F arabic مرحبا emoji 😀";
  for (char c = 0; c < 0x20; ++c) text.push_back(c);
  EXPECT_EQ(TextOf("text", [&] { LogLine(LogLevel::kInfo, "x").Field("text", text); }), text);
}

TEST_F(LogTest, BytesThatAreNotUtf8AreReplaced) {
  EXPECT_EQ(TextOf("text", [] { LogLine(LogLevel::kInfo, "x").Field("text", "a\xFF\xC3z"); }), "a\uFFFD\uFFFDz");
}

TEST_F(LogTest, ALongTextIsCutAt512Bytes) {
  EXPECT_EQ(TextOf("text", [] { LogLine(LogLevel::kInfo, "x").Field("text", std::string(10'000, 'a')); }),
            std::string(512, 'a'));
}

TEST_F(LogTest, ATextCutWithinACharacterStaysUtf8) {
  const std::string text = std::string(511, 'a') + "é";
  EXPECT_EQ(TextOf("text", [&] { LogLine(LogLevel::kInfo, "x").Field("text", text); }),
            std::string(511, 'a') + "\uFFFD");
}

TEST_F(LogTest, BooleansAndIntegersKeepTheirType) {
  const json::object line = OneLine([] {
    LogLine(LogLevel::kInfo, "x")
        .Field("yes", true)
        .Field("no", false)
        .Field("int", -7)
        .Field("size", size_t{1} << 40)
        .Field("least", std::numeric_limits<int64_t>::min())
        .Field("most", std::numeric_limits<uint64_t>::max());
  });
  EXPECT_EQ(line.at("yes"), true);
  EXPECT_EQ(line.at("no"), false);
  EXPECT_EQ(line.at("int"), -7);
  EXPECT_EQ(line.at("size"), int64_t{1} << 40);
  EXPECT_EQ(line.at("least"), std::numeric_limits<int64_t>::min());
  EXPECT_EQ(line.at("most"), std::numeric_limits<uint64_t>::max());
}

TEST_F(LogTest, DurationsAreMilliseconds) {
  const json::object line = OneLine([] {
    LogLine(LogLevel::kInfo, "x").Field("took_ms", absl::Microseconds(1500)).Field("left_ms", -absl::Milliseconds(20));
  });
  EXPECT_DOUBLE_EQ(line.at("took_ms").as_double(), 1.5);
  EXPECT_DOUBLE_EQ(line.at("left_ms").as_double(), -20);
}

TEST_F(LogTest, AnInfiniteDurationIsNull) {
  EXPECT_TRUE(OneLine([] { LogLine(LogLevel::kInfo, "x").Field("left_ms", absl::InfiniteDuration()); })
                  .at("left_ms")
                  .is_null());
}

TEST_F(LogTest, LinesBelowTheLevelAreNotWritten) {
  StartLog(LogLevel::kWarn);
  StopLog();
  StderrPipe pipe;
  LogLine(LogLevel::kTrace, "x").Field("a", 1);
  LogLine(LogLevel::kDebug, "x").Field("a", true);
  LogLine(LogLevel::kInfo, "x").Field("a", "text").Field("b", absl::Seconds(1));
  EXPECT_THAT(pipe.Lines(), IsEmpty());
}

TEST_F(LogTest, StopLogWritesEveryQueuedLineInItsThreadsOrder) {
  constexpr int kThreads = 4;
  constexpr int kEach = 1000;
  StderrPipe pipe;
  std::vector<std::string> lines;
  std::thread reader([&] { lines = pipe.ReadToEnd(); });
  StartLog(LogLevel::kInfo);
  std::vector<std::thread> writers;
  for (int thread = 0; thread < kThreads; ++thread) {
    writers.emplace_back([thread] {
      for (int n = 0; n < kEach; ++n) LogLine(LogLevel::kInfo, "x").Field("thread", thread).Field("n", n);
    });
  }
  for (std::thread& writer : writers) writer.join();
  StopLog();
  pipe.Restore();
  reader.join();

  ASSERT_THAT(lines, SizeIs(kThreads * kEach));
  std::vector<int64_t> next(kThreads, 0);
  for (const std::string& line : lines) {
    const json::object object = Parsed(line);
    EXPECT_EQ(object.at("n").as_int64(), next[static_cast<size_t>(object.at("thread").as_int64())]++);
  }
}

TEST_F(LogTest, APipeThatNobodyReadsHoldsNobodyUpAndLosesOldLinesAndSaysHowMany) {
  constexpr int kLines = 30'000;  // many times what the pipe and the queue hold
  StderrPipe pipe;
  StartLog(LogLevel::kInfo);
  for (int n = 0; n < kLines; ++n) LogLine(LogLevel::kInfo, "x").Field("n", n);
  LogLine(LogLevel::kError, "last");  // one that asks for a flush

  std::vector<std::string> lines;
  std::thread reader([&] { lines = pipe.ReadToEnd(); });
  StopLog();
  pipe.Restore();
  reader.join();
  ASSERT_FALSE(lines.empty());
  EXPECT_LT(lines.size(), static_cast<size_t>(kLines));
  EXPECT_EQ(Parsed(lines.back()).at("event"), "last");
  int64_t told = 0;
  int64_t lost = 0;
  for (const std::string& line : lines) {
    const json::object object = Parsed(line);
    if (object.at("event") == "x") ++told;
    if (object.at("event") == "log_lines_lost") lost += object.at("lines").as_int64();
  }
  EXPECT_EQ(told + lost, kLines);
}

TEST_F(LogTest, LinesAfterStopLogAreWrittenAtOnce) {
  StartLog(LogLevel::kInfo);
  StopLog();
  EXPECT_EQ(TextOf("event", [] { LogLine(LogLevel::kInfo, "late"); }), "late");
}

TEST_F(LogTest, TheLogCanBeStartedAgain) {
  StderrPipe pipe;
  for (int i = 0; i < 3; ++i) {
    StartLog(LogLevel::kInfo);
    LogLine(LogLevel::kInfo, "again").Field("n", i);
    StopLog();
  }
  EXPECT_THAT(pipe.Lines(), SizeIs(3));
}

}  // namespace
}  // namespace aulm::gateway
