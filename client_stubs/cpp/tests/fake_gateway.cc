#include "client_stubs/cpp/tests/fake_gateway.h"

#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "aulm/gateway/client/channel.h"
#include "google/rpc/status.pb.h"
#include "grpcpp/health_check_service_interface.h"
#include "grpcpp/server_builder.h"

namespace aulm::gateway::client {

void FakeGateway::Stream::Started(const std::string& head) {
  v1::SubscribeEventsResponse frame;
  frame.mutable_started()->set_stream_id("stream");
  frame.mutable_started()->set_head_cursor(head);
  writer_.Write(frame);
}

void FakeGateway::Stream::Events(const std::vector<std::string>& cursors, const std::string& resume) {
  v1::SubscribeEventsResponse frame;
  for (const std::string& cursor : cursors) {
    v1::Event& event = *frame.mutable_event_batch()->add_deliveries()->mutable_event();
    event.set_cursor(cursor);
    event.mutable_inbound_message()->set_message_id(absl::StrCat("m-", cursor));
  }
  frame.mutable_event_batch()->set_resume_cursor(resume.empty() ? cursors.back() : resume);
  writer_.Write(frame);
}

void FakeGateway::Stream::Shared(const std::vector<std::string>& cursors) {
  v1::SubscribeEventsResponse frame;
  for (const std::string& cursor : cursors) {
    v1::Delivery& delivery = *frame.mutable_event_batch()->add_deliveries();
    delivery.mutable_event()->set_cursor(cursor);
    delivery.set_ack_token(cursor);
    delivery.set_attempt(1);
  }
  writer_.Write(frame);
}

void FakeGateway::Stream::Heartbeat(const std::string& resume) {
  v1::SubscribeEventsResponse frame;
  frame.mutable_heartbeat()->set_resume_cursor(resume);
  frame.mutable_heartbeat()->set_caught_up(true);
  writer_.Write(frame);
}

void FakeGateway::Stream::Gap(const std::string& to) {
  v1::SubscribeEventsResponse frame;
  frame.mutable_gap()->set_to_cursor(to);
  frame.mutable_gap()->set_reason("retention");
  writer_.Write(frame);
}

void FakeGateway::Stream::Drain(const std::string& resume, int reconnect_after_ms) {
  v1::SubscribeEventsResponse frame;
  frame.mutable_drain()->set_reason("shutdown");
  frame.mutable_drain()->set_resume_cursor(resume);
  frame.mutable_drain()->mutable_reconnect_after()->set_nanos(reconnect_after_ms * 1'000'000);
  writer_.Write(frame);
}

void FakeGateway::Stream::AwaitCancellation() {
  // The synchronous API has nothing to wait for.
  while (!context_.IsCancelled()) absl::SleepFor(absl::Milliseconds(1));
}

FakeGateway::FakeGateway(int port, const std::shared_ptr<grpc::ServerCredentials>& credentials) : port_(port) {
  grpc::EnableDefaultHealthCheckService(true);
  grpc::ServerBuilder builder;
  builder.AddListeningPort(absl::StrCat("127.0.0.1:", port), credentials, &port_);
  builder.SetMaxReceiveMessageSize(kMaxMessageBytes);
  builder.RegisterService(static_cast<v1::MessagingService::Service*>(this));
  builder.RegisterService(static_cast<v1::SessionService::Service*>(this));
  builder.RegisterService(static_cast<v1::EventService::Service*>(this));
  builder.RegisterService(static_cast<v1::SubscriptionService::Service*>(this));
  server_ = builder.BuildAndStart();
}

FakeGateway::~FakeGateway() {
  server_->Shutdown(std::chrono::system_clock::now());
  server_->Wait();
}

std::string FakeGateway::address() const { return absl::StrCat("127.0.0.1:", port_); }

std::shared_ptr<grpc::Channel> FakeGateway::Channel() const {
  ChannelOptions options;
  options.target = address();
  return *OpenChannel(options);
}

void FakeGateway::OnSendText(Answer<v1::SendTextRequest, v1::SendTextResponse> answer) {
  absl::MutexLock lock(&mu_);
  send_text_ = std::move(answer);
}

void FakeGateway::OnSendImage(Answer<v1::SendImageRequest, v1::SendImageResponse> answer) {
  absl::MutexLock lock(&mu_);
  send_image_ = std::move(answer);
}

void FakeGateway::OnGetSessionStatus(Answer<v1::GetSessionStatusRequest, v1::GetSessionStatusResponse> answer) {
  absl::MutexLock lock(&mu_);
  get_session_status_ = std::move(answer);
}

void FakeGateway::OnReadEvents(Answer<v1::ReadEventsRequest, v1::ReadEventsResponse> answer) {
  absl::MutexLock lock(&mu_);
  read_events_ = std::move(answer);
}

void FakeGateway::OnGetSubscription(Answer<v1::GetSubscriptionRequest, v1::GetSubscriptionResponse> answer) {
  absl::MutexLock lock(&mu_);
  get_subscription_ = std::move(answer);
}

void FakeGateway::OnAcknowledge(Answer<v1::AcknowledgeEventsRequest, v1::AcknowledgeEventsResponse> answer) {
  absl::MutexLock lock(&mu_);
  acknowledge_ = std::move(answer);
}

void FakeGateway::OnSubscribe(Script script) {
  absl::MutexLock lock(&mu_);
  scripts_.push_back(std::move(script));
}

std::vector<v1::SubscribeEventsRequest> FakeGateway::subscriptions() const {
  absl::MutexLock lock(&mu_);
  return subscriptions_;
}

int FakeGateway::calls() const {
  absl::MutexLock lock(&mu_);
  return calls_;
}

std::multimap<std::string, std::string> FakeGateway::metadata() const {
  absl::MutexLock lock(&mu_);
  return metadata_;
}

void FakeGateway::Keep(const grpc::ServerContext& context) {
  absl::MutexLock lock(&mu_);
  metadata_.clear();
  for (const auto& [name, value] : context.client_metadata()) {
    metadata_.emplace(std::string(name.data(), name.size()), std::string(value.data(), value.size()));
  }
}

template <typename Request, typename Response>
grpc::Status FakeGateway::Run(const grpc::ServerContext& context, Answer<Request, Response> FakeGateway::* answer,
                              const Request& request, Response& response) {
  Keep(context);
  Answer<Request, Response> copy;
  {
    absl::MutexLock lock(&mu_);
    ++calls_;
    copy = this->*answer;
  }
  return copy ? copy(request, response) : grpc::Status(grpc::StatusCode::UNIMPLEMENTED, "no script");
}

grpc::Status FakeGateway::SendText(grpc::ServerContext* context, const v1::SendTextRequest* request,
                                   v1::SendTextResponse* response) {
  return Run(*context, &FakeGateway::send_text_, *request, *response);
}

grpc::Status FakeGateway::SendImage(grpc::ServerContext* context, const v1::SendImageRequest* request,
                                    v1::SendImageResponse* response) {
  return Run(*context, &FakeGateway::send_image_, *request, *response);
}

grpc::Status FakeGateway::GetSessionStatus(grpc::ServerContext* context, const v1::GetSessionStatusRequest* request,
                                           v1::GetSessionStatusResponse* response) {
  return Run(*context, &FakeGateway::get_session_status_, *request, *response);
}

grpc::Status FakeGateway::ReadEvents(grpc::ServerContext* context, const v1::ReadEventsRequest* request,
                                     v1::ReadEventsResponse* response) {
  return Run(*context, &FakeGateway::read_events_, *request, *response);
}

grpc::Status FakeGateway::GetSubscription(grpc::ServerContext* context, const v1::GetSubscriptionRequest* request,
                                          v1::GetSubscriptionResponse* response) {
  return Run(*context, &FakeGateway::get_subscription_, *request, *response);
}

grpc::Status FakeGateway::AcknowledgeEvents(grpc::ServerContext* context, const v1::AcknowledgeEventsRequest* request,
                                            v1::AcknowledgeEventsResponse* response) {
  return Run(*context, &FakeGateway::acknowledge_, *request, *response);
}

grpc::Status FakeGateway::SubscribeEvents(grpc::ServerContext* context, const v1::SubscribeEventsRequest* request,
                                          grpc::ServerWriter<v1::SubscribeEventsResponse>* writer) {
  Keep(*context);
  Script script;
  {
    absl::MutexLock lock(&mu_);
    subscriptions_.push_back(*request);
    if (scripts_.empty()) return grpc::Status(grpc::StatusCode::UNIMPLEMENTED, "no script");
    script = scripts_.front();
    if (scripts_.size() > 1) scripts_.pop_front();
  }
  Stream stream(*context, *writer);
  return script(*request, stream);
}

grpc::Status StatusWith(grpc::StatusCode code, const std::string& message,
                        const std::vector<const google::protobuf::Message*>& details) {
  google::rpc::Status status;
  status.set_code(static_cast<int>(code));
  status.set_message(message);
  for (const google::protobuf::Message* detail : details) status.add_details()->PackFrom(*detail);
  return grpc::Status(code, message, status.SerializeAsString());
}

}  // namespace aulm::gateway::client
