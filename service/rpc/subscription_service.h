#pragma once

#include "aulm/gateway/v1/subscription_service.grpc.pb.h"
#include "service/events/subscriptions/subscriptions.h"
#include "service/rpc/rpc_metrics.h"
#include "service/rpc/unary_call.h"

namespace aulm::gateway {

// SubscriptionService of the contract: checks requests and hands them to Subscriptions. Thread-safe; callbacks only.
class SubscriptionService final : public v1::SubscriptionService::CallbackService {
 public:
  // All arguments outlive the service and its calls.
  SubscriptionService(const CallEnvironment& environment, Subscriptions& subscriptions, RpcMetrics& metrics);

  grpc::ServerUnaryReactor* CreateSubscription(grpc::CallbackServerContext* context,
                                               const v1::CreateSubscriptionRequest* request,
                                               v1::CreateSubscriptionResponse* response) override;
  grpc::ServerUnaryReactor* GetSubscription(grpc::CallbackServerContext* context,
                                            const v1::GetSubscriptionRequest* request,
                                            v1::GetSubscriptionResponse* response) override;
  grpc::ServerUnaryReactor* ListSubscriptions(grpc::CallbackServerContext* context,
                                              const v1::ListSubscriptionsRequest* request,
                                              v1::ListSubscriptionsResponse* response) override;
  grpc::ServerUnaryReactor* DeleteSubscription(grpc::CallbackServerContext* context,
                                               const v1::DeleteSubscriptionRequest* request,
                                               v1::DeleteSubscriptionResponse* response) override;
  grpc::ServerUnaryReactor* SeekSubscription(grpc::CallbackServerContext* context,
                                             const v1::SeekSubscriptionRequest* request,
                                             v1::SeekSubscriptionResponse* response) override;
  grpc::ServerUnaryReactor* ListParkedEvents(grpc::CallbackServerContext* context,
                                             const v1::ListParkedEventsRequest* request,
                                             v1::ListParkedEventsResponse* response) override;
  grpc::ServerUnaryReactor* ReplayParkedEvents(grpc::CallbackServerContext* context,
                                               const v1::ReplayParkedEventsRequest* request,
                                               v1::ReplayParkedEventsResponse* response) override;

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
