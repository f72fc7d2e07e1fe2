#include "service/rpc/library_log.h"

#include <google/protobuf/stubs/common.h>
#include <grpcpp/version_info.h>

#include <cstdint>
#include <cstdio>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "service/base/log.h"

// Those that have a log of their own; see the header for later ones.
#define GATEWAY_GRPC_HAS_LOG (GRPC_CPP_VERSION_MAJOR == 1 && GRPC_CPP_VERSION_MINOR < 65)
#define GATEWAY_PROTOBUF_HAS_LOG (GOOGLE_PROTOBUF_VERSION < 4022000)

#if GATEWAY_GRPC_HAS_LOG
#include <grpc/support/log.h>
#endif
#if GATEWAY_PROTOBUF_HAS_LOG
#include <google/protobuf/stubs/logging.h>
#endif

namespace aulm::gateway {
namespace {

constexpr uint64_t kMostLinesASecond = 10;

// Counts the lines of each second.
class LineAllowance {
 public:
  // Whether one more line may be written; then `left_out` says how many were not since the last one.
  bool Take(uint64_t& left_out) ABSL_LOCKS_EXCLUDED(mutex_) {
    const int64_t second = absl::ToUnixSeconds(absl::Now());
    absl::MutexLock lock(&mutex_);
    if (second != second_) {
      second_ = second;
      lines_ = 0;
    }
    if (lines_ == kMostLinesASecond) {
      ++left_out_;
      return false;
    }
    ++lines_;
    left_out = left_out_;
    left_out_ = 0;
    return true;
  }

 private:
  absl::Mutex mutex_;
  int64_t second_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t lines_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t left_out_ ABSL_GUARDED_BY(mutex_) = 0;
};

[[maybe_unused]] void Write(LogLevel level, absl::string_view library, absl::string_view file, int line,
                            absl::string_view message) {
  static auto* const allowance = new LineAllowance();
  uint64_t left_out = 0;
  if (level >= LogLevel::kInfo && !allowance->Take(left_out)) return;
  LogLine written(level, "library");
  // gRPC 1.51 ends its complaint of broken metadata with what the caller sent.
  written.Field("library", library).Field("message", message.substr(0, message.find(" value=")));
  written.Field("source", absl::StrCat(file.substr(file.rfind('/') + 1), ":", line));
  if (left_out > 0) written.Field("left_out", left_out);
}

// What abort() follows: the log's thread would not get to it.
[[maybe_unused]] void WriteLastWords(const char* file, int line, const char* message) {
  std::fprintf(stderr, "%s:%d: %s\n", file, line, message);
}

#if GATEWAY_GRPC_HAS_LOG
LogLevel LevelOf(gpr_log_severity severity) {
  switch (severity) {
    case GPR_LOG_SEVERITY_ERROR:
      return LogLevel::kWarn;
    case GPR_LOG_SEVERITY_INFO:
      return LogLevel::kInfo;
    default:
      return LogLevel::kDebug;
  }
}

void WriteGrpc(gpr_log_func_args* said) {
  if (said->severity == GPR_LOG_SEVERITY_ERROR && absl::StartsWith(said->message, "assertion failed")) {
    return WriteLastWords(said->file, said->line, said->message);
  }
  Write(LevelOf(said->severity), "grpc", said->file, said->line, said->message);
}
#endif

#if GATEWAY_PROTOBUF_HAS_LOG
void WriteProtobuf(google::protobuf::LogLevel level, const char* file, int line, const std::string& message) {
  if (level == google::protobuf::LOGLEVEL_FATAL) return WriteLastWords(file, line, message.c_str());
  Write(LogLevel::kDebug, "protobuf", file, line, message);
}
#endif

}  // namespace

void RouteLibraryLogs() {
#if GATEWAY_GRPC_HAS_LOG
  gpr_set_log_function(&WriteGrpc);
#endif
#if GATEWAY_PROTOBUF_HAS_LOG
  google::protobuf::SetLogHandler(&WriteProtobuf);
#endif
}

}  // namespace aulm::gateway
