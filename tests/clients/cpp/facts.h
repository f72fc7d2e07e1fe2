#pragma once

#include <boost/json/value.hpp>

#include "aulm/gateway/client/call_result.h"
#include "aulm/gateway/v1/messaging_service.pb.h"
#include "aulm/gateway/v1/session_service.pb.h"

// How calls ended, in the words of the table: {"ok": …} or {"error": …}.
namespace aulm::gateway::conformance {

boost::json::value FactsOf(const client::CallError& error);
boost::json::value FactsOf(const v1::Session& session);
boost::json::value FactsOf(const v1::SentMessage& message, const v1::RateLimit& limit, bool replayed);

template <typename Response>
boost::json::value FactsOf(const client::CallResult<Response>& sent) {
  if (!sent.ok()) return {{"error", FactsOf(sent.error())}};
  return {{"ok", FactsOf(sent->message(), sent->rate_limit(), sent->replayed())}};
}

// True when `seen` has what is expected of it; what is not mentioned is not looked at.
bool Fits(const boost::json::value& seen, const boost::json::value& expected);

}  // namespace aulm::gateway::conformance
