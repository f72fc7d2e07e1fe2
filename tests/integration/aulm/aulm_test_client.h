#pragma once

#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/synchronization/notification.h"
#include "prometheus/registry.h"
#include "service/aulm/aulm_client.h"
#include "service/aulm/curl_transport.h"
#include "service/base/system_clock.h"
#include "tests/support/recording_send_observer.h"

namespace aulm::gateway {

inline constexpr absl::string_view kTestSession = "4c3d2b1a-0000-4000-8000-000000000001";
inline constexpr absl::string_view kTestNumber = "+966512345678";

// The client over the real transport, as the service wires them, pointed at a server of the test's.
class AulmTestClient {
 public:
  explicit AulmTestClient(std::string base_url, CurlTransportOptions options = {},
                          std::string key = "alm_sk_test_0123456789", absl::Duration settle_limit = absl::Seconds(60))
      : transport_(std::move(options), metrics_) {
    AulmClient::Options client;
    client.account = "default";
    client.base_url = std::move(base_url);
    client.api_key = [key] { return ApiKey{key, 1}; };
    client.settle_limit = settle_limit;
    client_ = *AulmClient::Create(std::move(client), transport_, std::make_shared<AulmAddress>(), clock_, metrics_);
  }

  // Begins a text send that has `time` to be answered.
  std::pair<std::shared_ptr<RecordingSendObserver>, AulmClient::CallId> StartText(
      absl::string_view body = "hi", absl::Duration time = absl::Seconds(15)) {
    auto observer = std::make_shared<RecordingSendObserver>();
    AulmCallOptions options;
    options.deadline = absl::Now() + time;
    const AulmClient::CallId id = client_->SendText({kTestSession, kTestNumber, body}, options, observer);
    return {observer, id};
  }

  absl::StatusOr<SendResult> SendText(absl::string_view body = "hi", absl::Duration time = absl::Seconds(15)) {
    return StartText(body, time).first->Wait();
  }

  absl::StatusOr<SessionStatus> GetSessionStatus(absl::Duration time = absl::Seconds(15)) {
    absl::StatusOr<SessionStatus> result = absl::DeadlineExceededError("the test waited in vain");
    auto done = std::make_shared<absl::Notification>();
    auto kept = std::make_shared<absl::StatusOr<SessionStatus>>(result);
    AulmCallOptions options;
    options.deadline = absl::Now() + time;
    client_->GetSessionStatus(kTestSession, options, [done, kept](absl::StatusOr<SessionStatus> got) {
      *kept = std::move(got);
      done->Notify();
    });
    if (done->WaitForNotificationWithTimeout(absl::Seconds(20))) result = *kept;
    return result;
  }

  AulmClient& client() { return *client_; }
  CurlTransport& transport() { return transport_; }
  prometheus::Registry& registry() { return registry_; }

 private:
  SystemClock clock_;
  prometheus::Registry registry_;
  AulmMetrics metrics_{registry_};
  std::unique_ptr<AulmClient> client_;  // outlives the transport, whose callbacks it takes
  CurlTransport transport_;
};

}  // namespace aulm::gateway
