#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "aulm/gateway/v1/event_service.grpc.pb.h"
#include "aulm/gateway/v1/messaging_service.grpc.pb.h"
#include "aulm/gateway/v1/session_service.grpc.pb.h"
#include "aulm/gateway/v1/subscription_service.grpc.pb.h"
#include "grpcpp/channel.h"
#include "grpcpp/security/server_credentials.h"
#include "grpcpp/server.h"
#include "grpcpp/server_context.h"

namespace aulm::gateway::client {

// A gateway that a test scripts: it listens on a free loopback port, answers each call as the test said, and keeps what
// it was asked. Thread-safe; scripts run on the server's threads.
class FakeGateway : private v1::MessagingService::Service,
                    private v1::SessionService::Service,
                    private v1::EventService::Service,
                    private v1::SubscriptionService::Service {
 public:
  template <typename Request, typename Response>
  using Answer = std::function<grpc::Status(const Request&, Response&)>;

  // One SubscribeEvents stream, as its script sees it.
  class Stream {
   public:
    Stream(grpc::ServerContext& context, grpc::ServerWriter<v1::SubscribeEventsResponse>& writer)
        : context_(context), writer_(writer) {}

    void Started(const std::string& head);
    // Events with the cursors given, and message ids "m-" + cursor; resume_cursor is the last one's unless given.
    void Events(const std::vector<std::string>& cursors, const std::string& resume = "");
    // Deliveries of mode SHARED, each of an event with the cursor given, which is its token, too.
    void Shared(const std::vector<std::string>& cursors);
    void Heartbeat(const std::string& resume);
    void Gap(const std::string& to);
    void Drain(const std::string& resume, int reconnect_after_ms = 0);
    // Blocks until the client has gone away.
    void AwaitCancellation();

   private:
    grpc::ServerContext& context_;
    grpc::ServerWriter<v1::SubscribeEventsResponse>& writer_;
  };
  using Script = std::function<grpc::Status(const v1::SubscribeEventsRequest&, Stream&)>;

  // Starts it; a port other than 0 takes up where another FakeGateway left.
  explicit FakeGateway(int port = 0,
                       const std::shared_ptr<grpc::ServerCredentials>& credentials = grpc::InsecureServerCredentials());
  FakeGateway(const FakeGateway&) = delete;
  FakeGateway& operator=(const FakeGateway&) = delete;
  // Cancels what is under way.
  ~FakeGateway() override;

  int port() const { return port_; }
  std::string address() const;
  std::shared_ptr<grpc::Channel> Channel() const;

  void OnSendText(Answer<v1::SendTextRequest, v1::SendTextResponse> answer);
  void OnSendImage(Answer<v1::SendImageRequest, v1::SendImageResponse> answer);
  void OnGetSessionStatus(Answer<v1::GetSessionStatusRequest, v1::GetSessionStatusResponse> answer);
  void OnReadEvents(Answer<v1::ReadEventsRequest, v1::ReadEventsResponse> answer);
  void OnGetSubscription(Answer<v1::GetSubscriptionRequest, v1::GetSubscriptionResponse> answer);
  // Takes every acknowledgement unless this says otherwise.
  void OnAcknowledge(Answer<v1::AcknowledgeEventsRequest, v1::AcknowledgeEventsResponse> answer);
  // The next stream that nobody has a script for yet runs `script`; streams beyond the last script run that again.
  void OnSubscribe(Script script);

  // What was asked, in order.
  std::vector<v1::SubscribeEventsRequest> subscriptions() const;
  int calls() const;  // unary ones
  // Metadata of the last call of any kind.
  std::multimap<std::string, std::string> metadata() const;

 private:
  template <typename Request, typename Response>
  grpc::Status Run(const grpc::ServerContext& context, Answer<Request, Response> FakeGateway::* answer,
                   const Request& request, Response& response);
  void Keep(const grpc::ServerContext& context);

  grpc::Status SendText(grpc::ServerContext*, const v1::SendTextRequest*, v1::SendTextResponse*) override;
  grpc::Status SendImage(grpc::ServerContext*, const v1::SendImageRequest*, v1::SendImageResponse*) override;
  grpc::Status GetSessionStatus(grpc::ServerContext*, const v1::GetSessionStatusRequest*,
                                v1::GetSessionStatusResponse*) override;
  grpc::Status ReadEvents(grpc::ServerContext*, const v1::ReadEventsRequest*, v1::ReadEventsResponse*) override;
  grpc::Status GetSubscription(grpc::ServerContext*, const v1::GetSubscriptionRequest*,
                               v1::GetSubscriptionResponse*) override;
  grpc::Status AcknowledgeEvents(grpc::ServerContext*, const v1::AcknowledgeEventsRequest*,
                                 v1::AcknowledgeEventsResponse*) override;
  grpc::Status SubscribeEvents(grpc::ServerContext*, const v1::SubscribeEventsRequest*,
                               grpc::ServerWriter<v1::SubscribeEventsResponse>*) override;

  mutable absl::Mutex mu_;
  Answer<v1::SendTextRequest, v1::SendTextResponse> send_text_ ABSL_GUARDED_BY(mu_);
  Answer<v1::SendImageRequest, v1::SendImageResponse> send_image_ ABSL_GUARDED_BY(mu_);
  Answer<v1::GetSessionStatusRequest, v1::GetSessionStatusResponse> get_session_status_ ABSL_GUARDED_BY(mu_);
  Answer<v1::ReadEventsRequest, v1::ReadEventsResponse> read_events_ ABSL_GUARDED_BY(mu_);
  Answer<v1::GetSubscriptionRequest, v1::GetSubscriptionResponse> get_subscription_ ABSL_GUARDED_BY(mu_);
  Answer<v1::AcknowledgeEventsRequest, v1::AcknowledgeEventsResponse> acknowledge_ ABSL_GUARDED_BY(mu_) =
      [](const auto&, auto&) { return grpc::Status::OK; };
  std::deque<Script> scripts_ ABSL_GUARDED_BY(mu_);
  std::vector<v1::SubscribeEventsRequest> subscriptions_ ABSL_GUARDED_BY(mu_);
  int calls_ ABSL_GUARDED_BY(mu_) = 0;
  std::multimap<std::string, std::string> metadata_ ABSL_GUARDED_BY(mu_);
  int port_;
  std::unique_ptr<grpc::Server> server_;
};

// A status with google.rpc details, as the gateway makes them.
grpc::Status StatusWith(grpc::StatusCode code, const std::string& message,
                        const std::vector<const google::protobuf::Message*>& details);

}  // namespace aulm::gateway::client
