#pragma once

#include <boost/asio/ssl/context.hpp>
#include <memory>

#include "absl/status/statusor.h"
#include "service/http/http_server.h"

namespace aulm::gateway {

// What TLS connections are accepted with: TLS 1.2 or newer, and this certificate and key. Internal to service/http.
// Errors: FAILED_PRECONDITION saying which of the two cannot be used, and why.
absl::StatusOr<std::shared_ptr<boost::asio::ssl::context>> MakeTlsContext(const TlsPem& pem);

}  // namespace aulm::gateway
