#include "tests/simulator/simulator_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace aulm::simulator {
namespace {

constexpr int kStartTimeoutMs = 20'000;  // generous: sanitizers on a busy machine

std::string ProgramPath() {
  if (const char* folder = std::getenv("AULM_GATEWAY_BIN")) return absl::StrCat(folder, "/aulm-simulator");
  std::error_code error;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", error);
  return (self.parent_path() / "aulm-simulator").string();
}

// In the child, between fork and exec: only what a signal handler may call.
[[noreturn]] void Execute(char* const* arguments, int stdin_fd, int stdout_fd) {
  dup2(stdin_fd, STDIN_FILENO);
  dup2(stdout_fd, STDOUT_FILENO);
  execv(arguments[0], arguments);
  constexpr char kMessage[] = "SimulatorProcess: cannot execute aulm-simulator; is it built?\n";
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, kMessage, sizeof(kMessage) - 1);
  _exit(127);
}

}  // namespace

absl::StatusOr<std::unique_ptr<SimulatorProcess>> SimulatorProcess::Start(std::vector<std::string> arguments) {
  std::vector<std::string> command = {ProgramPath(),      "--listen",    "127.0.0.1:0",
                                      "--control-listen", "127.0.0.1:0", "--exit-when-stdin-closes"};
  bool tls = false;
  for (std::string& argument : arguments) {
    tls = tls || absl::StartsWith(argument, "--tls-cert");
    command.push_back(std::move(argument));
  }
  std::vector<char*> pointers;
  for (std::string& argument : command) pointers.push_back(argument.data());
  pointers.push_back(nullptr);

  // Close-on-exec: no other child of the test may keep the simulator's standard input open.
  std::array<int, 2> input;
  std::array<int, 2> output;
  if (pipe2(input.data(), O_CLOEXEC) != 0) return absl::UnavailableError(std::strerror(errno));
  if (pipe2(output.data(), O_CLOEXEC) != 0) {
    close(input[0]);
    close(input[1]);
    return absl::UnavailableError(std::strerror(errno));
  }
  const pid_t pid = fork();
  if (pid == 0) Execute(pointers.data(), input[0], output[1]);
  close(input[0]);
  close(output[1]);
  if (pid < 0) {
    close(input[1]);
    close(output[0]);
    return absl::UnavailableError(std::strerror(errno));
  }
  std::unique_ptr<SimulatorProcess> process(new SimulatorProcess(pid, input[1], output[0]));
  process->tls_ = tls;
  if (absl::Status status = process->ReadAddresses(); !status.ok()) return status;
  return process;
}

absl::Status SimulatorProcess::ReadAddresses() {
  std::string text;
  std::string control_address;
  while (address_.empty()) {
    pollfd readable{.fd = stdout_fd_, .events = POLLIN, .revents = 0};
    if (poll(&readable, 1, kStartTimeoutMs) <= 0) return absl::UnavailableError("aulm-simulator does not get ready");
    std::array<char, 256> bytes;
    const ssize_t count = read(stdout_fd_, bytes.data(), bytes.size());
    if (count <= 0) return absl::UnavailableError("aulm-simulator ended before it was ready");
    text.append(bytes.data(), static_cast<size_t>(count));
    for (size_t end = text.find('\n'); end != std::string::npos; end = text.find('\n')) {
      absl::string_view line(text.data(), end);
      if (absl::ConsumePrefix(&line, "listening control ")) control_address = std::string(line);
      if (absl::ConsumePrefix(&line, "listening aulm ")) address_ = std::string(line);
      text.erase(0, end + 1);
    }
  }
  control_ = std::make_unique<ControlClient>(control_address);
  return absl::OkStatus();
}

std::string SimulatorProcess::base_url() const { return absl::StrCat(tls_ ? "https://" : "http://", address_); }

int SimulatorProcess::Terminate() {
  kill(pid_, SIGTERM);
  int status = 0;
  waitpid(std::exchange(pid_, 0), &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

SimulatorProcess::~SimulatorProcess() {
  if (pid_ != 0) {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  close(stdin_fd_);
  close(stdout_fd_);
}

}  // namespace aulm::simulator
