#pragma once

#include <map>
#include <string>
#include <vector>

#include "tests/support/child_process.h"

namespace aulm::gateway::ctl {

// What one run of aulmctl left.
struct Finished {
  int exit_code = -1;
  std::string out;
  std::string err;
};

// Runs the built aulmctl as the shell would, with files for its standard error in `folder`.
class Aulmctl {
 public:
  // `gateway` goes into AULM_GATEWAY.
  Aulmctl(std::string folder, const std::string& gateway);

  // Runs it to its end.
  Finished Run(const std::vector<std::string>& arguments);

  // Runs a bash script in which "$AULMCTL" is the program.
  Finished Bash(const std::string& script);

  // Starts it; standard error goes to stderr_path().
  ChildProcess Start(const std::vector<std::string>& arguments);

  std::string stderr_path() const { return folder_ + "/stderr"; }
  std::map<std::string, std::string>& environment() { return environment_; }

 private:
  Finished Finish(ChildProcess process) const;

  const std::string folder_;
  std::map<std::string, std::string> environment_;
};

std::string ReadFile(const std::string& path);

}  // namespace aulm::gateway::ctl
