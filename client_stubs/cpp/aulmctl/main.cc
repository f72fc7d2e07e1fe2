#include <unistd.h>

#include <cstdio>

#include "client_stubs/cpp/aulmctl/program.h"
#include "grpc/grpc.h"

int main(int argc, char** argv) {
  // gRPC 1.51 can take 10 s to shut down after a large request: its executor waits for a poller that nothing wakes. So
  // it is kept up past the last channel, and the process ends without it; the answer is out by then.
  grpc_init();
  const auto exit_code = aulm::gateway::ctl::RunProgram(argc, argv);
  std::fflush(nullptr);
  _exit(static_cast<int>(exit_code));
}
