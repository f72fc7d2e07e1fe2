#include "service/rpc/messaging_service.h"

#include <optional>
#include <string>
#include <utility>

#include "service/aulm/image_source.h"
#include "service/base/status_details.h"
#include "service/base/time_ordered_uuid.h"
#include "service/rpc/get_message_call.h"
#include "service/rpc/raw_request.h"
#include "service/rpc/send_call.h"
#include "service/rpc/send_validation.h"

namespace aulm::gateway {
namespace {

constexpr char kService[] = "aulm.gateway.v1.MessagingService";

template <typename Request>
Send CommonFields(const Request& request) {
  Send send;
  send.session_id = request.session_id();
  send.to = request.to();
  send.labels.insert(request.labels().begin(), request.labels().end());
  return send;
}

// The request's image, checked; nullopt with a violation in `bad`, or when the request has none.
std::optional<ImageSource> ImageOf(const v1::SendImageRequest& request, size_t max_image_bytes, FieldViolations& bad) {
  switch (request.image_case()) {
    case v1::SendImageRequest::kImageUrl:
      return ImageFromUrl(request.image_url(), max_image_bytes, bad);
    case v1::SendImageRequest::kImageData:
      return ImageFromBytes(request.image_data().data(), request.image_data().mime_type(), max_image_bytes, bad);
    case v1::SendImageRequest::IMAGE_NOT_SET:
      return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace

MessagingService::MessagingService(const CallEnvironment& environment, size_t max_image_bytes,
                                   const AccountDirectory& accounts, Sender& sender, MessageHistory& history,
                                   EventHub& hub, RpcMetrics& metrics, Random& random)
    : environment_(environment),
      max_image_bytes_(max_image_bytes),
      accounts_(accounts),
      sender_(sender),
      history_(history),
      hub_(hub),
      random_(random),
      send_text_metrics_(metrics.AddMethod(RpcMetrics::MethodType::kUnary, kService, "SendText")),
      send_image_metrics_(metrics.AddMethod(RpcMetrics::MethodType::kUnary, kService, "SendImage")),
      get_message_metrics_(metrics.AddMethod(RpcMetrics::MethodType::kUnary, kService, "GetMessage")) {}

template <typename Response>
SendCall* MessagingService::NewCall(const std::string& request_id, grpc::ByteBuffer& response,
                                    grpc::CallbackServerContext& context, MethodMetrics& metrics) const {
  const bool generated = request_id.empty();
  return new SendCallOf<Response>(response, environment_, context, metrics,
                                  generated ? TimeOrderedUuid(environment_.clock.Now(), random_) : request_id,
                                  generated);
}

grpc::ServerUnaryReactor* MessagingService::SendText(grpc::CallbackServerContext* context,
                                                     const grpc::ByteBuffer* bytes, grpc::ByteBuffer* response) {
  const RawRequest<v1::SendTextRequest> request(*bytes);
  SendCall* const call = NewCall<v1::SendTextResponse>(request->request_id(), *response, *context, send_text_metrics_);
  if (!call->Admit(request.status())) return call;
  FieldViolations bad;
  CheckSendText(*request, bad);
  if (absl::Status refusal = CheckSend(*call, request->session_id(), bad); !refusal.ok()) {
    call->Refuse(std::move(refusal));
    return call;
  }
  Send send = CommonFields(*request);
  send.message = TextMessage{request->body()};
  call->Begin(sender_, std::move(send));
  return call;
}

grpc::ServerUnaryReactor* MessagingService::SendImage(grpc::CallbackServerContext* context,
                                                      const grpc::ByteBuffer* bytes, grpc::ByteBuffer* response) {
  const RawRequest<v1::SendImageRequest> request(*bytes);
  SendCall* const call =
      NewCall<v1::SendImageResponse>(request->request_id(), *response, *context, send_image_metrics_);
  if (!call->Admit(request.status())) return call;
  FieldViolations bad;
  CheckSendImage(*request, bad);
  std::optional<ImageSource> image = ImageOf(*request, max_image_bytes_, bad);
  if (absl::Status refusal = CheckSend(*call, request->session_id(), bad); !refusal.ok()) {
    call->Refuse(std::move(refusal));
    return call;
  }
  Send send = CommonFields(*request);
  send.message = ImageMessage{*std::move(image), request->caption()};
  call->Begin(sender_, std::move(send));
  return call;
}

absl::Status MessagingService::CheckSend(SendCall& call, const std::string& session_id,
                                         const FieldViolations& bad) const {
  if (!bad.empty()) return bad.ToStatus(/*is_send=*/true);
  return call.caller().MayUseSession(session_id, accounts_);
}

grpc::ServerUnaryReactor* MessagingService::GetMessage(grpc::CallbackServerContext* context,
                                                       const grpc::ByteBuffer* bytes, grpc::ByteBuffer* response) {
  const RawRequest<v1::GetMessageRequest> request(*bytes);
  auto* call = new GetMessageCall(environment_, accounts_, *request, *response, *context, get_message_metrics_);
  if (!call->Admit(request.status())) return call;
  FieldViolations bad;
  CheckGetMessage(*request, bad);
  if (bad.empty()) {
    call->Begin(history_, hub_);
  } else {
    call->Refuse(bad.ToStatus());
  }
  return call;
}

}  // namespace aulm::gateway
