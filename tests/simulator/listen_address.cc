#include "tests/simulator/listen_address.h"

#include <boost/asio/ip/address.hpp>
#include <limits>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace aulm::simulator {

absl::StatusOr<ListenAddress> ParseListenAddress(absl::string_view text) {
  const auto bad = [text](absl::string_view why) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", text, "' ", why, "; give a literal address and a port, as 127.0.0.1:8080 or [::1]:0"));
  };
  const size_t colon = text.rfind(':');
  if (colon == absl::string_view::npos) return bad("has no port");
  absl::string_view host = text.substr(0, colon);
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  uint32_t port = 0;
  if (!absl::SimpleAtoi(text.substr(colon + 1), &port) || port > std::numeric_limits<uint16_t>::max()) {
    return bad("has no port between 0 and 65535");
  }
  boost::system::error_code error;
  boost::asio::ip::make_address(std::string(host), error);
  if (error) return bad("has no literal address");
  return ListenAddress{std::string(host), static_cast<uint16_t>(port)};
}

}  // namespace aulm::simulator
