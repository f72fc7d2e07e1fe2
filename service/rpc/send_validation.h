#pragma once

#include "aulm/gateway/v1/messaging_service.pb.h"
#include "service/base/status_details.h"

namespace aulm::gateway {

// The checks of a send's fields that need nothing but the request: aulm's documented limits (aulm API, "send-text",
// "send-image") and the gateway's own. Every bad field is named at once. The image itself is checked where it is read
// (service/aulm/image_source).
void CheckSendText(const v1::SendTextRequest& request, FieldViolations& bad);
void CheckSendImage(const v1::SendImageRequest& request, FieldViolations& bad);

// One key, whole.
void CheckGetMessage(const v1::GetMessageRequest& request, FieldViolations& bad);

// "must be a UUID …" when it is not.
void CheckSessionId(const std::string& session_id, FieldViolations& bad);

}  // namespace aulm::gateway
