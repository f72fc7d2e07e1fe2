#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace aulm::gateway {

// What a load of unary calls came to.
struct GrpcLoadResult {
  double seconds = 0;
  double per_second = 0;
  std::vector<double> latency_us;  // of each call, from its submission to its end; ascending
  int64_t failed = 0;              // calls that ended with another grpc-status than 0, or none
  std::string failure;             // of one of them

  double Percentile(double part) const;  // 0.5: the median
};

// Unary gRPC calls from one thread over nghttp2, which costs about what h2load costs; unlike h2load each call has a
// body of its own, calls can come at a rate, and grpc-status is looked at.
struct GrpcLoad {
  std::string address;  // host:port of the loopback interface
  std::string path;     // "/package.Service/Method"
  int connections = 1;
  int streams = 1;  // calls under way on each connection, at most
  int64_t calls = 1;
  double per_second = 0;  // 0: as fast as they are answered
  // The request of one call, encoded.
  std::function<std::string(int64_t call)> message;
};

// Makes the calls. Exits the program when a connection cannot be made or breaks.
GrpcLoadResult RunGrpcLoad(const GrpcLoad& load);

}  // namespace aulm::gateway
