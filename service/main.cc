// The program: reads the command line and the settings, starts the App, waits for a signal, stops it.
#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "service/admin/build_info.h"
#include "service/admin/health_question.h"
#include "service/app.h"
#include "service/base/log.h"
#include "service/config/describe_settings.h"
#include "service/config/environment.h"
#include "service/config/load_settings.h"
#include "service/rpc/library_log.h"

namespace {

using namespace aulm::gateway;  // NOLINT(google-build-using-namespace): main is outside every namespace

constexpr int kExitBadSettings = 2;
constexpr int kExitCannotStart = 1;
constexpr int kExitNotReady = 1;

constexpr char kUsage[] = R"(aulm-gateway: a gRPC gateway in front of aulm, the WhatsApp automation API.

Usage: aulm-gateway [--config FILE] [one of the options below]
       aulm-gateway [--config FILE] store copy FROM TO

  --config FILE    the configuration, JSON; GATEWAY_CONFIG names it too. The environment wins over the file.
  --print-config   print the settings in force, without secrets, and exit
  --check-config   read the settings and the files they name, say what is wrong with them, and exit
  --health         ask the gateway that runs here with these settings whether it is ready, and exit: 0 when it is, else 1
  --check-store    read the whole store and say whether it is sound, and exit; the gateway must not be running
  store copy FROM TO
                   copy an embedded store to a new one on NATS, and exit: sqlite:///var/lib/aulm-gateway nats://host:4222;
                   the gateway must not be running. Goes on where it was when it is run again. docs/scaling-out.md
  --version        print the version and exit
  --help           print this and exit

Settings without a file: AULM_API_KEY or AULM_API_KEY_FILE, AULM_WEBHOOK_SECRET or AULM_WEBHOOK_SECRET_FILE,
AULM_BASE_URL, GATEWAY_GRPC_LISTEN, GATEWAY_WEBHOOK_LISTEN, GATEWAY_ADMIN_LISTEN, GATEWAY_STORE. docs/configuration.md
describes them all. When it is ready it prints one line for each listener: listening grpc 127.0.0.1:50051.

Exit status: 0 after SIGTERM or SIGINT, 1 when it cannot start or the store fails for good, 2 for bad settings.
)";

struct CommandLine {
  std::optional<std::filesystem::path> config;
  bool print_config = false;
  bool check_config = false;
  bool health = false;
  bool check_store = false;
  // Of `store copy`.
  std::string copy_from, copy_to;
};

// Exits by itself for --help, --version and words that it does not know.
CommandLine ParseCommandLine(int argc, char** argv) {
  CommandLine parsed;
  for (int i = 1; i < argc; ++i) {
    const absl::string_view word = argv[i];
    if (word == "--help" || word == "-h") {
      std::fputs(kUsage, stdout);
      std::exit(0);
    } else if (word == "--version") {
      std::printf("%s\n", DescribeBuild(GetBuildInfo()).c_str());
      std::exit(0);
    } else if (word == "--print-config") {
      parsed.print_config = true;
    } else if (word == "--check-config") {
      parsed.check_config = true;
    } else if (word == "--health") {
      parsed.health = true;
    } else if (word == "--check-store") {
      parsed.check_store = true;
    } else if (word == "store" && i + 3 < argc && argv[i + 1] == absl::string_view("copy")) {
      parsed.copy_from = argv[i + 2];
      parsed.copy_to = argv[i + 3];
      i += 3;
    } else if (word == "--config" && i + 1 < argc) {
      parsed.config = argv[++i];
    } else {
      std::fprintf(stderr, "aulm-gateway: %s is not an option, or lacks its value: see aulm-gateway --help\n", argv[i]);
      std::exit(kExitBadSettings);
    }
  }
  return parsed;
}

// SIGTERM and SIGINT are waited for by main alone: blocked before the first thread, so that every thread inherits it.
sigset_t BlockStopSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);  // a peer that has gone is an error of its write, not of the process
  return signals;
}

// As many descriptors as the process may have: the soft limit is often 1024, and every stream and webhook is one.
void RaiseDescriptorLimit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

// --health.
int TellHealth(const std::optional<std::filesystem::path>& config) {
  const absl::StatusOr<AdminListenerSettings> admin = LoadAdminListener(config, ProcessEnvironment());
  if (!admin.ok()) {
    std::fprintf(stderr, "%s\n", std::string(admin.status().message()).c_str());
    return kExitBadSettings;
  }
  const absl::Status ready = AskReadiness(*admin);
  std::printf("%s\n", ready.ok() ? "ready" : std::string(ready.message()).c_str());
  return ready.ok() ? 0 : kExitNotReady;
}

}  // namespace

int main(int argc, char** argv) {
#ifdef NDEBUG
  // Debian's Abseil is built to look for deadlocks at every Lock, gRPC's own included: for debug builds.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
#endif
  const CommandLine command_line = ParseCommandLine(argc, argv);
  if (command_line.health) return TellHealth(command_line.config);
  const absl::StatusOr<Settings> settings = LoadSettings(command_line.config, ProcessEnvironment());
  if (!settings.ok()) {
    std::fprintf(stderr, "%s\n", std::string(settings.status().message()).c_str());
    return kExitBadSettings;
  }
  if (command_line.print_config) {
    std::printf("%s\n", DescribeSettings(*settings).c_str());
    return 0;
  }
  if (command_line.check_config) {
    for (const std::string& warning : settings->warnings) std::fprintf(stderr, "%s\n", warning.c_str());
    std::printf("the settings are sound\n");
    return 0;
  }
  if (command_line.check_store) {
    const absl::Status sound = CheckStore(*settings);
    std::printf("%s\n", sound.ok() ? "the store is sound" : std::string(sound.message()).c_str());
    return sound.ok() ? 0 : kExitCannotStart;
  }
  if (!command_line.copy_from.empty()) {
    const absl::Status copied = CopyStore(*settings, command_line.copy_from, command_line.copy_to);
    if (!copied.ok()) std::fprintf(stderr, "%s\n", std::string(copied.message()).c_str());
    return copied.ok() ? 0 : kExitCannotStart;
  }

  RaiseDescriptorLimit();
  const sigset_t stop_signals = BlockStopSignals();
  StartLog(settings->log_level);
  RouteLibraryLogs();
  for (const std::string& warning : settings->warnings) LogLine(LogLevel::kWarn, "setting").Field("message", warning);
  absl::StatusOr<std::unique_ptr<App>> app = App::Start(*settings);
  if (!app.ok()) {
    LogLine(LogLevel::kError, "cannot_start").Field("message", app.status().message());
    StopLog();
    return kExitCannotStart;
  }
  std::printf("listening grpc %s\nlistening webhook %s\nlistening admin %s\n", (*app)->grpc_address().c_str(),
              (*app)->webhook_address().c_str(), (*app)->admin_address().c_str());
  std::fflush(stdout);

  int signal = 0;
  sigwait(&stop_signals, &signal);
  LogLine(LogLevel::kInfo, "stopping")
      .Field("signal", signal == SIGTERM ? "SIGTERM" : "SIGINT")
      .Field("delay_ms", settings->limits.drain_delay);
  (*app)->AnnounceStop();
  const timespec delay = absl::ToTimespec(settings->limits.drain_delay);
  sigtimedwait(&stop_signals, nullptr, &delay);
  (*app)->Stop();
  app->reset();
  LogLine(LogLevel::kInfo, "stopped");
  StopLog();
  return 0;
}
