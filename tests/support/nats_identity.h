#pragma once

#include <array>
#include <string>

#include "absl/strings/string_view.h"

namespace aulm::gateway {

// A key of NATS' decentralised accounts, as its tool nsc makes them: it names an operator, an account or a user, and
// signs the tokens (JWTs) of those below it.
class NatsIdentity {
 public:
  enum class Kind : unsigned char { kAccount = 0, kOperator = 14 << 3, kUser = 20 << 3 };

  // A new one, that nobody else has.
  explicit NatsIdentity(Kind kind);

  // What others know it by: O…, A… or U….
  std::string public_key() const;
  // The secret, SO…, SA… or SU….
  std::string seed() const;

  // A token of `subject`, signed by this one; `nats` is the JSON object of its claims under "nats".
  std::string TokenFor(const NatsIdentity& subject, absl::string_view nats) const;

 private:
  const Kind kind_;
  std::array<unsigned char, 32> secret_{};
  std::array<unsigned char, 32> public_{};
};

// Lines of a nats-server's configuration that let in the users of one account, which has JetStream, and nobody else.
std::string OperatorConfiguration(const NatsIdentity& trusted, const NatsIdentity& account);

// A .creds file of `user`, whom `account` lets in.
std::string CredentialsFile(const NatsIdentity& account, const NatsIdentity& user);

}  // namespace aulm::gateway
