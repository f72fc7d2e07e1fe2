#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace aulm::gateway {

// aulm's side of the webhook, for tests: signs and posts deliveries over one kept-alive connection. Blocking; not
// thread-safe.
class WebhookClient {
 public:
  // `address` is host:port. Connects with the first post and again after an error, and waits for an answer until
  // `patience` is over.
  WebhookClient(std::string address, std::string secret, absl::Duration patience = absl::InfiniteDuration());
  ~WebhookClient();

  WebhookClient(WebhookClient&&) noexcept;

  // Posts `body` to /webhooks/aulm as `event` with that delivery id; the HTTP status. Error: UNAVAILABLE when the
  // connection breaks before the answer, or none comes: then nobody knows whether it was stored.
  absl::StatusOr<int> Post(absl::string_view event, absl::string_view delivery_id, const std::string& body);

 private:
  struct Connection;

  std::string host_;
  std::string port_;
  std::string secret_;
  absl::Duration patience_;
  std::unique_ptr<Connection> connection_;
};

// "sha256=" and the hex HMAC-SHA256 of `body` under `secret` (aulm API, "Webhooks").
std::string SignDelivery(absl::string_view secret, absl::string_view body);

// Bodies as aulm writes them. What was received long ago may be one that comes again.
std::string InboundMessageBody(absl::string_view delivery_id, absl::string_view session_id, absl::string_view from,
                               absl::string_view text, absl::string_view received_at = "2026-05-28T10:15:42.000Z");
std::string MessageStatusBody(absl::string_view delivery_id, absl::string_view session_id, absl::string_view message_id,
                              absl::string_view to, absl::string_view status,
                              absl::string_view occurred_at = "2026-05-28T10:15:43.000Z");

}  // namespace aulm::gateway
