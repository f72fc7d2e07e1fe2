#pragma once

#include "aulm/gateway/v1/subscription_service.grpc.pb.h"
#include "service/events/subscriptions/subscriptions.h"
#include "service/rpc/rpc_metrics.h"
#include "service/rpc/unary_call.h"

namespace aulm::gateway {

// SubscriptionService of the contract: checks requests and hands them to Subscriptions. Thread-safe; callbacks only.
class SubscriptionService final
    : public v1::SubscriptionService::WithRawCallbackMethod_CreateSubscription<
          v1::SubscriptionService::WithRawCallbackMethod_GetSubscription<
              v1::SubscriptionService::WithRawCallbackMethod_ListSubscriptions<
                  v1::SubscriptionService::WithRawCallbackMethod_DeleteSubscription<
                      v1::SubscriptionService::WithRawCallbackMethod_SeekSubscription<
                          v1::SubscriptionService::WithRawCallbackMethod_ListParkedEvents<
                              v1::SubscriptionService::WithRawCallbackMethod_ReplayParkedEvents<
                                  v1::SubscriptionService::Service>>>>>>> {
 public:
  // All arguments outlive the service and its calls.
  SubscriptionService(const CallEnvironment& environment, Subscriptions& subscriptions, RpcMetrics& metrics);

  grpc::ServerUnaryReactor* CreateSubscription(grpc::CallbackServerContext* context, const grpc::ByteBuffer* bytes,
                                               grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* GetSubscription(grpc::CallbackServerContext* context, const grpc::ByteBuffer* bytes,
                                            grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* ListSubscriptions(grpc::CallbackServerContext* context, const grpc::ByteBuffer* bytes,
                                              grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* DeleteSubscription(grpc::CallbackServerContext* context, const grpc::ByteBuffer* bytes,
                                               grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* SeekSubscription(grpc::CallbackServerContext* context, const grpc::ByteBuffer* bytes,
                                             grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* ListParkedEvents(grpc::CallbackServerContext* context, const grpc::ByteBuffer* bytes,
                                             grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* ReplayParkedEvents(grpc::CallbackServerContext* context, const grpc::ByteBuffer* bytes,
                                               grpc::ByteBuffer* response) override;

 private:
  const CallEnvironment environment_;
  Subscriptions& subscriptions_;
  MethodMetrics& create_metrics_;
  MethodMetrics& get_metrics_;
  MethodMetrics& list_metrics_;
  MethodMetrics& delete_metrics_;
  MethodMetrics& seek_metrics_;
  MethodMetrics& list_parked_metrics_;
  MethodMetrics& replay_parked_metrics_;
};

}  // namespace aulm::gateway
