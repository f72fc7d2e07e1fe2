#include "client_stubs/cpp/aulmctl/program.h"

int main(int argc, char** argv) { return static_cast<int>(aulm::gateway::ctl::RunProgram(argc, argv)); }
