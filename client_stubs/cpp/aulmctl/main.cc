#include <unistd.h>

#include <cstdio>

#include "client_stubs/cpp/aulmctl/program.h"

int main(int argc, char** argv) {
  const auto exit_code = aulm::gateway::ctl::RunProgram(argc, argv);
  std::fflush(nullptr);
  _exit(static_cast<int>(exit_code));  // without gRPC's shutdown: see GlobalFlags::OpenClient
}
