#include "service/http/tls_context.h"

#include <openssl/ssl.h>

#include <string>

#include "absl/strings/str_cat.h"

namespace aulm::gateway {
namespace {

absl::Status Fault(absl::string_view what, const std::string& file, const boost::system::error_code& error) {
  return absl::FailedPreconditionError(
      absl::StrCat("the TLS ", what, " ", file, " cannot be used: ", error.message(), ". Give a readable PEM file"));
}

}  // namespace

absl::StatusOr<std::shared_ptr<boost::asio::ssl::context>> LoadTlsContext(const TlsFiles& files) {
  namespace ssl = boost::asio::ssl;
  auto context = std::make_shared<ssl::context>(ssl::context::tls_server);
  boost::system::error_code error;
  context->set_options(ssl::context::default_workarounds | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                           SSL_OP_CIPHER_SERVER_PREFERENCE,
                       error);
  SSL_CTX_set_min_proto_version(context->native_handle(), TLS1_2_VERSION);
  // Idle connections give their record buffers back: 34 KiB each.
  SSL_CTX_set_mode(context->native_handle(), SSL_MODE_RELEASE_BUFFERS);
  context->use_certificate_chain_file(files.certificate_file, error);
  if (error) return Fault("certificate", files.certificate_file, error);
  context->use_private_key_file(files.key_file, ssl::context::pem, error);
  if (error) return Fault("key", files.key_file, error);
  if (SSL_CTX_check_private_key(context->native_handle()) != 1) {
    return absl::FailedPreconditionError(
        absl::StrCat("the TLS key ", files.key_file, " does not belong to the certificate ", files.certificate_file));
  }
  return context;
}

}  // namespace aulm::gateway
