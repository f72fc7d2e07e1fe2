#pragma once

#include <boost/json/object.hpp>

#include "absl/strings/string_view.h"
#include "tests/simulator/blast.h"
#include "tests/simulator/delivery.h"
#include "tests/simulator/request_log.h"

namespace aulm::simulator {

// The JSON forms of what the control API lists. Bytes that are not UTF-8 stand in base64 under `…_base64` instead.
boost::json::object RequestJson(const RecordedRequest& request);
boost::json::object DeliveryJson(const Delivery& delivery, absl::string_view account);
boost::json::object BlastJson(const Blast::Result& result);

}  // namespace aulm::simulator
