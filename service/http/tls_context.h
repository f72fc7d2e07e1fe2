#pragma once

#include <boost/asio/ssl/context.hpp>
#include <memory>

#include "absl/status/statusor.h"
#include "service/http/http_server.h"

namespace aulm::gateway {

// What TLS connections are accepted with: TLS 1.2 or newer, the certificate chain and key of `files` (PEM). Internal to
// service/http. Errors: FAILED_PRECONDITION naming the file and what is wrong with it.
absl::StatusOr<std::shared_ptr<boost::asio::ssl::context>> LoadTlsContext(const TlsFiles& files);

}  // namespace aulm::gateway
