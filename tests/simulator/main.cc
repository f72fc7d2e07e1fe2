// aulm-simulator: reads its arguments, starts the simulator, says where it listens, and runs until it is told to stop.

#include <unistd.h>

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/signal_set.hpp>
#include <csignal>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "tests/simulator/options.h"
#include "tests/simulator/simulator.h"

namespace {

namespace asio = boost::asio;

// Stops the context once standard input has ended.
class StdinWatch {
 public:
  explicit StdinWatch(asio::io_context& io) : io_(io), input_(io, dup(STDIN_FILENO)) { Read(); }

 private:
  void Read() {
    input_.async_read_some(asio::buffer(bytes_), [this](boost::system::error_code error, size_t) {
      if (error) {
        io_.stop();
      } else {
        Read();
      }
    });
  }

  asio::io_context& io_;
  asio::posix::stream_descriptor input_;
  std::array<char, 256> bytes_;
};

}  // namespace

int main(int argc, char** argv) {
  const absl::StatusOr<aulm::simulator::Options> options =
      aulm::simulator::ParseOptions(std::vector<std::string>(argv + 1, argv + argc));
  if (!options.ok()) {
    std::cerr << "aulm-simulator: " << options.status().message() << "\n";
    return 2;
  }
  if (options->help) {
    std::cout << aulm::simulator::HelpText();
    return 0;
  }

  std::signal(SIGPIPE, SIG_IGN);
  asio::io_context io(1);
  asio::signal_set signals(io, SIGTERM, SIGINT);
  signals.async_wait([&io](boost::system::error_code error, int) {
    if (!error) io.stop();
  });
  const auto simulator = aulm::simulator::Simulator::Start(io, *options);
  if (!simulator.ok()) {
    std::cerr << "aulm-simulator: " << simulator.status().message() << "\n";
    return 2;
  }
  std::unique_ptr<StdinWatch> stdin_watch;
  if (options->exit_when_stdin_closes) stdin_watch = std::make_unique<StdinWatch>(io);
  if (!(*simulator)->control_address().empty()) {
    std::cout << "listening control " << (*simulator)->control_address() << "\n";
  }
  std::cout << "listening aulm " << (*simulator)->address() << std::endl;
  io.run();
  return 0;
}
