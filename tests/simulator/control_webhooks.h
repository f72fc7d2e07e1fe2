#pragma once

#include <boost/json/fwd.hpp>

#include "absl/status/statusor.h"
#include "tests/simulator/account_table.h"
#include "tests/simulator/blast.h"
#include "tests/simulator/http_message.h"

namespace aulm::simulator {

// The part of the control API that is about webhooks: endpoints, events on demand, deliveries, blasts. Called by
// ControlApi alone.
class ControlWebhooks {
 public:
  using Result = absl::StatusOr<boost::json::value>;

  ControlWebhooks(AccountTable& accounts, Blast& blast) : accounts_(accounts), blast_(blast) {}

  Result ListEndpoints();
  Result PutEndpoint(const boost::json::value& body);

  // Each returns {"delivery_id", "sequence"}.
  Result SendInbound(const boost::json::value& body);
  Result SendStatus(const boost::json::value& body);
  Result SendTest(const boost::json::value& body);
  Result SendRaw(const boost::json::value& body);

  Result ListDeliveries(const HttpRequest& request);
  void ClearDeliveries();

  Result StartBlast(const boost::json::value& body);
  Result ReadBlast() const;
  Result ReadBlastIds() const;

 private:
  AccountTable& accounts_;
  Blast& blast_;
};

}  // namespace aulm::simulator
