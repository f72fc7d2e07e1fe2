#pragma once

#include <string>
#include <vector>

namespace aulm::gateway {

// How to reach NATS.
struct NatsServers {
  std::vector<std::string> urls;  // nats://host:port or tls://host:port; may hold user:password@
  std::string credentials_file;   // a .creds file, read at every connect; empty: none
  bool tls = false;               // also when no URL says tls://
  std::string ca_file;            // PEM; empty: the system's
  std::string certificate_file;   // PEM, the client's, with key_file; empty: none
  std::string key_file;
};

// What a store on NATS is beside its URL.
struct NatsStoreOptions {
  NatsServers servers;          // its urls come from the store's URL
  std::string prefix = "aulm";  // of the names of streams and subjects: [a-z0-9-]+
  int replicas = 0;             // copies of each stream; 0: three in a cluster, one on a single server
  bool synced = false;          // the servers are known to fsync before they acknowledge
};

}  // namespace aulm::gateway
