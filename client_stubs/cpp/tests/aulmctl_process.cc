#include "client_stubs/cpp/tests/aulmctl_process.h"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>

namespace aulm::gateway::ctl {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(30);

}  // namespace

Aulmctl::Aulmctl(std::string folder, const std::string& gateway)
    : folder_(std::move(folder)), environment_({{"AULM_GATEWAY", gateway}, {"AULMCTL", BinaryPath("aulmctl")}}) {}

Finished Aulmctl::Run(const std::vector<std::string>& arguments) { return Finish(Start(arguments)); }

Finished Aulmctl::Bash(const std::string& script) {
  std::filesystem::remove(stderr_path());
  return Finish(*ChildProcess::Start({"bash", "--norc", "-c", script}, environment_, stderr_path()));
}

ChildProcess Aulmctl::Start(const std::vector<std::string>& arguments) {
  std::filesystem::remove(stderr_path());
  std::vector<std::string> command = {BinaryPath("aulmctl")};
  command.insert(command.end(), arguments.begin(), arguments.end());
  return *ChildProcess::Start(command, environment_, stderr_path());
}

Finished Aulmctl::Finish(ChildProcess process) const {
  Finished finished;
  while (true) {
    const absl::StatusOr<std::string> line = process.ReadLine(kPatience);
    if (!line.ok()) break;
    finished.out += *line + "\n";
  }
  finished.exit_code = process.Wait(kPatience).value_or(-1);
  finished.err = ReadFile(stderr_path());
  return finished;
}

std::string ReadFile(const std::string& path) {
  std::ifstream file(path);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

}  // namespace aulm::gateway::ctl
