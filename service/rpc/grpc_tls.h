#pragma once

#include <grpc/grpc_security.h>

#include <cstdint>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "grpcpp/security/server_credentials.h"
#include "service/config/tls_material.h"

namespace aulm::gateway {

// Whether clients are to show a certificate. One that is shown is always verified.
enum class ClientCertificates { kNone, kAsked, kRequired };

// TLS of the gRPC listener, whose certificate, key and client authorities may change while it listens: a connection
// keeps those that it began with, and the next one gets the newest. gRPC asks for them at each handshake. (Its own
// watcher of files takes a key that is not the certificate's, and then fails every handshake.) Thread-safe; outlives
// the server.
class GrpcTls {
 public:
  explicit GrpcTls(ClientCertificates clients) : clients_(clients) {}

  GrpcTls(const GrpcTls&) = delete;
  GrpcTls& operator=(const GrpcTls&) = delete;

  // What handshakes from now on use; before the server starts, and whenever the files have changed.
  void Use(TlsMaterial material) ABSL_LOCKS_EXCLUDED(mutex_);

  // For one listener, once.
  std::shared_ptr<grpc::ServerCredentials> Credentials();

 private:
  // gRPC's question at each handshake: is there anything new? Never blocks.
  static grpc_ssl_certificate_config_reload_status Fetch(void* self, grpc_ssl_server_certificate_config** config);
  grpc_ssl_certificate_config_reload_status Fetch(grpc_ssl_server_certificate_config** config)
      ABSL_LOCKS_EXCLUDED(mutex_);

  const ClientCertificates clients_;
  absl::Mutex mutex_;
  TlsMaterial material_ ABSL_GUARDED_BY(mutex_);
  bool is_new_ ABSL_GUARDED_BY(mutex_) = false;  // not fetched yet
};

}  // namespace aulm::gateway
