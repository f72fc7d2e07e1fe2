#include "service/rpc/grpc_tls.h"

#include <grpc/grpc.h>
#include <openssl/crypto.h>

#include <string>
#include <type_traits>
#include <utility>

namespace aulm::gateway {
namespace {

// gRPC's C++ side cannot fetch certificates anew; its core can, and takes a class of ours around it. In 1.51 such a
// class binds the port by itself; in later releases the base class takes the core's credentials.
template <typename Base, bool kBindsPorts = std::is_abstract_v<Base>>
class CoreCredentials final : public Base {
 public:
  explicit CoreCredentials(grpc_server_credentials* core) : core_(core) {}
  ~CoreCredentials() override { grpc_server_credentials_release(core_); }

  void SetAuthMetadataProcessor(const std::shared_ptr<grpc::AuthMetadataProcessor>&) override {}

 private:
  int AddPortToServer(const std::string& address, grpc_server* server) override {
    return grpc_server_add_http2_port(server, address.c_str(), core_);
  }

  grpc_server_credentials* const core_;
};

template <typename Base>
class CoreCredentials<Base, false> final : public Base {
 public:
  explicit CoreCredentials(grpc_server_credentials* core) : Base(core) {}
};

grpc_ssl_client_certificate_request_type RequestOf(ClientCertificates clients) {
  switch (clients) {
    case ClientCertificates::kNone:
      return GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE;
    case ClientCertificates::kAsked:
      return GRPC_SSL_REQUEST_CLIENT_CERTIFICATE_AND_VERIFY;
    case ClientCertificates::kRequired:
      return GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY;
  }
  return GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY;
}

}  // namespace

void GrpcTls::Use(TlsMaterial material) {
  absl::MutexLock lock(&mutex_);
  material_ = std::move(material);
  is_new_ = true;
}

std::shared_ptr<grpc::ServerCredentials> GrpcTls::Credentials() {
  grpc_ssl_server_credentials_options* const options =
      grpc_ssl_server_credentials_create_options_using_config_fetcher(RequestOf(clients_), &GrpcTls::Fetch, this);
  return std::make_shared<CoreCredentials<grpc::ServerCredentials>>(
      grpc_ssl_server_credentials_create_with_options(options));
}

grpc_ssl_certificate_config_reload_status GrpcTls::Fetch(void* self, grpc_ssl_server_certificate_config** config) {
  return static_cast<GrpcTls*>(self)->Fetch(config);
}

grpc_ssl_certificate_config_reload_status GrpcTls::Fetch(grpc_ssl_server_certificate_config** config) {
  absl::MutexLock lock(&mutex_);
  if (!is_new_) return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_UNCHANGED;
  std::string key(material_.key.Reveal());  // gRPC wants text that ends in a zero
  const grpc_ssl_pem_key_cert_pair pair{key.c_str(), material_.certificate_chain.c_str()};
  // gRPC 1.51 aborts the process where a fetched configuration names no authorities. Without client certificates it
  // asks for none, and what stands here is read and never used.
  const std::string& client_ca = material_.client_ca.empty() ? material_.certificate_chain : material_.client_ca;
  *config = grpc_ssl_server_certificate_config_create(client_ca.c_str(), &pair, 1);
  OPENSSL_cleanse(key.data(), key.size());
  is_new_ = false;
  return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_NEW;
}

}  // namespace aulm::gateway
