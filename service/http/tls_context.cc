#include "service/http/tls_context.h"

#include <openssl/ssl.h>

#include <string>

#include "absl/strings/str_cat.h"

namespace aulm::gateway {
namespace {

absl::Status Fault(absl::string_view what, const boost::system::error_code& error) {
  return absl::FailedPreconditionError(absl::StrCat("the TLS ", what, " cannot be used: ", error.message()));
}

boost::asio::const_buffer Bytes(absl::string_view text) { return {text.data(), text.size()}; }

}  // namespace

absl::StatusOr<std::shared_ptr<boost::asio::ssl::context>> MakeTlsContext(const TlsPem& pem) {
  namespace ssl = boost::asio::ssl;
  auto context = std::make_shared<ssl::context>(ssl::context::tls_server);
  boost::system::error_code error;
  context->set_options(ssl::context::default_workarounds | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                           SSL_OP_CIPHER_SERVER_PREFERENCE,
                       error);
  SSL_CTX_set_min_proto_version(context->native_handle(), TLS1_2_VERSION);
  // Idle connections give their record buffers back: 34 KiB each.
  SSL_CTX_set_mode(context->native_handle(), SSL_MODE_RELEASE_BUFFERS);
  context->use_certificate_chain(Bytes(pem.certificate_chain), error);
  if (error) return Fault("certificate", error);
  // A key with a passphrase is an error, and no question at the terminal.
  context->set_password_callback([](size_t, ssl::context::password_purpose) { return std::string(); }, error);
  context->use_private_key(Bytes(pem.key), ssl::context::pem, error);
  if (error) return Fault("key", error);
  if (SSL_CTX_check_private_key(context->native_handle()) != 1) {
    return absl::FailedPreconditionError("the TLS key does not belong to the certificate");
  }
  return context;
}

}  // namespace aulm::gateway
