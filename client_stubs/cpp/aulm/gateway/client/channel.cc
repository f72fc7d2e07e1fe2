#include "aulm/gateway/client/channel.h"

#include <utility>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/security/credentials.h"
#include "grpcpp/support/channel_arguments.h"
#include "grpcpp/support/client_interceptor.h"

namespace aulm::gateway::client {
namespace {

constexpr absl::Duration kLeastKeepalive = absl::Seconds(20);
constexpr int kKeepaliveTimeoutMs = 10'000;
// A lost gateway is looked for soon and often; gRPC's own backoff would grow to two minutes.
constexpr int kLeastReconnectMs = 200;
constexpr int kMostReconnectMs = 1'000;
constexpr int kConnectTimeoutMs = 5'000;

// True for what may stand in a header.
bool IsToken(const std::string& text) {
  return absl::c_all_of(text, [](char character) { return character > ' ' && character <= '~'; });
}

// Adds the bearer token to each call, and ends a call whose token is none: gRPC would end the process. An interceptor
// rather than call credentials: gRPC refuses those in plaintext, where a mesh may well do the encryption.
class BearerToken : public grpc::experimental::Interceptor {
 public:
  explicit BearerToken(const std::function<std::string()>& token) : token_(token) {}

  void Intercept(grpc::experimental::InterceptorBatchMethods* methods) override {
    if (methods->QueryInterceptionHookPoint(grpc::experimental::InterceptionHookPoints::PRE_SEND_INITIAL_METADATA)) {
      const std::string token = token_();
      if (!IsToken(token)) {
        refused_ = true;
        methods->Hijack();  // nothing leaves; comes back here for what the call is to receive
        return;
      }
      if (!token.empty()) methods->GetSendInitialMetadata()->emplace("authorization", absl::StrCat("Bearer ", token));
    }
    if (refused_) Refuse(methods);
    methods->Proceed();
  }

 private:
  static void Refuse(grpc::experimental::InterceptorBatchMethods* methods) {
    if (methods->QueryInterceptionHookPoint(grpc::experimental::InterceptionHookPoints::PRE_RECV_MESSAGE)) {
      methods->FailHijackedRecvMessage();
    }
    if (methods->QueryInterceptionHookPoint(grpc::experimental::InterceptionHookPoints::PRE_RECV_STATUS)) {
      *methods->GetRecvStatus() = grpc::Status(
          grpc::StatusCode::UNAUTHENTICATED,
          "the call was not made: its token is not printable ASCII without spaces (a line end, perhaps, of "
          "the file that it was read from)");
    }
  }

  bool refused_ = false;
  const std::function<std::string()>& token_;
};

class BearerTokenFactory : public grpc::experimental::ClientInterceptorFactoryInterface {
 public:
  explicit BearerTokenFactory(std::function<std::string()> token) : token_(std::move(token)) {}

  grpc::experimental::Interceptor* CreateClientInterceptor(grpc::experimental::ClientRpcInfo*) override {
    return new BearerToken(token_);
  }

 private:
  const std::function<std::string()> token_;
};

grpc::ChannelArguments Arguments(const ChannelOptions& options) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kMaxMessageBytes);
  arguments.SetMaxSendMessageSize(kMaxMessageBytes);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, static_cast<int>(absl::ToInt64Milliseconds(options.keepalive)));
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
  // A subscriber sends nothing after its request: pings must not stop for want of data.
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, kLeastReconnectMs);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, kConnectTimeoutMs);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kMostReconnectMs);
  arguments.SetServiceConfigJSON(kServiceConfigJson);
  // No DNS record may bring retries back.
  arguments.SetInt(GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, 1);
  // The gateway is inside: a web proxy in the environment is not meant for it.
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  if (!options.user_agent.empty()) arguments.SetUserAgentPrefix(options.user_agent);
  return arguments;
}

}  // namespace

const char kServiceConfigJson[] = R"({
  "loadBalancingConfig": [{"round_robin": {}}],
  "methodConfig": [
    {
      "name": [
        {"service": "aulm.gateway.v1.SessionService", "method": "GetSessionStatus"},
        {"service": "aulm.gateway.v1.EventService", "method": "ReadEvents"},
        {"service": "aulm.gateway.v1.MessagingService", "method": "GetMessage"},
        {"service": "aulm.gateway.v1.QuotaService", "method": "GetQuota"},
        {"service": "aulm.gateway.v1.SubscriptionService", "method": "GetSubscription"},
        {"service": "aulm.gateway.v1.SubscriptionService", "method": "ListSubscriptions"},
        {"service": "aulm.gateway.v1.SubscriptionService", "method": "ListParkedEvents"}
      ],
      "retryPolicy": {
        "maxAttempts": 4,
        "initialBackoff": "0.2s",
        "maxBackoff": "2s",
        "backoffMultiplier": 2,
        "retryableStatusCodes": ["UNAVAILABLE"]
      }
    }
  ]
})";

absl::StatusOr<std::shared_ptr<grpc::Channel>> OpenChannel(const ChannelOptions& options) {
  if (options.target.empty()) return absl::InvalidArgumentError("target is empty: give the gateway's host:port");
  if (options.keepalive < kLeastKeepalive) {
    return absl::InvalidArgumentError(absl::StrCat("keepalive is ", absl::FormatDuration(options.keepalive),
                                                   ": the gateway allows no less than 20s"));
  }
  std::shared_ptr<grpc::ChannelCredentials> credentials;
  if (options.tls.has_value()) {
    if (options.tls->certificate_pem.empty() != options.tls->key_pem.empty()) {
      return absl::InvalidArgumentError("tls: a client certificate and its key go together; only one is given");
    }
    grpc::SslCredentialsOptions ssl;
    ssl.pem_root_certs = options.tls->ca_pem;
    ssl.pem_cert_chain = options.tls->certificate_pem;
    ssl.pem_private_key = options.tls->key_pem;
    credentials = grpc::SslCredentials(ssl);
  } else {
    credentials = grpc::InsecureChannelCredentials();
  }
  std::vector<std::unique_ptr<grpc::experimental::ClientInterceptorFactoryInterface>> interceptors;
  if (options.bearer_token) interceptors.push_back(std::make_unique<BearerTokenFactory>(options.bearer_token));
  return grpc::experimental::CreateCustomChannelWithInterceptors(options.target, credentials, Arguments(options),
                                                                 std::move(interceptors));
}

}  // namespace aulm::gateway::client
