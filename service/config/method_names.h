#pragma once

#include <array>

#include "absl/strings/string_view.h"

namespace aulm::gateway {

// The methods of the contract, as `callers[].methods` names them: no two services have one of the same name.
inline constexpr std::array<absl::string_view, 15> kMethodNames = {
    "SendText",          "SendImage",          "GetMessage",        "GetSessionStatus",   "GetQuota",
    "SubscribeEvents",   "ReadEvents",         "AcknowledgeEvents", "CreateSubscription", "GetSubscription",
    "ListSubscriptions", "DeleteSubscription", "SeekSubscription",  "ListParkedEvents",   "ReplayParkedEvents",
};

}  // namespace aulm::gateway
