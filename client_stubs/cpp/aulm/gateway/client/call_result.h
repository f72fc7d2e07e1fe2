#pragma once

#include <utility>
#include <variant>

#include "aulm/gateway/client/call_error.h"

namespace aulm::gateway::client {

// What a call came to: the gateway's answer, or a CallError. Used like an absl::StatusOr, whose status could not carry
// the outcome, the quota and the rest.
template <typename Response>
class [[nodiscard]] CallResult {
 public:
  CallResult(Response response) : value_(std::move(response)) {}  // NOLINT: meant to convert
  CallResult(CallError error) : value_(std::move(error)) {}       // NOLINT: meant to convert

  bool ok() const { return std::holds_alternative<Response>(value_); }

  // The answer; only where ok().
  const Response& operator*() const& { return std::get<Response>(value_); }
  Response&& operator*() && { return std::get<Response>(std::move(value_)); }
  const Response* operator->() const { return &std::get<Response>(value_); }

  // The error; only where not ok().
  const CallError& error() const { return std::get<CallError>(value_); }

 private:
  std::variant<Response, CallError> value_;
};

}  // namespace aulm::gateway::client
