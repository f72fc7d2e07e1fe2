#pragma once

#include <array>
#include <map>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "prometheus/counter.h"
#include "prometheus/family.h"
#include "prometheus/gauge.h"
#include "prometheus/histogram.h"
#include "prometheus/registry.h"

namespace aulm::gateway {

// The endpoints of aulm that are called.
enum class AulmEndpoint { kSendText, kSendImage, kSessionStatus };

// "send_text", "send_image", "session_status".
absl::string_view EndpointName(AulmEndpoint endpoint);

// What the calls to aulm came to, for Prometheus. Thread-safe.
//   aulm_api_calls_total{endpoint, reason}   reason is "OK" or ErrorInfo's; beyond 64 different ones "OTHER"
//   aulm_api_call_seconds{endpoint}          from the start of a call to its result, detached or not
//   aulm_api_calls_in_flight{endpoint}
//   aulm_api_calls_detached_total            the caller was answered before aulm was
//   aulm_api_connections                     open to aulm
//   aulm_api_connections_opened_total
//   aulm_api_unreachable{base_url}           1 while sends are refused because aulm cannot be reached there
//   aulm_api_account_suspended{account}      1 while aulm refuses the account's key
//   aulm_api_cooldown_until_seconds{base_url}  Unix time up to which aulm holds our address off; 0 before the first
class AulmMetrics {
 public:
  // `registry` must outlive this.
  explicit AulmMetrics(prometheus::Registry& registry);

  AulmMetrics(const AulmMetrics&) = delete;
  AulmMetrics& operator=(const AulmMetrics&) = delete;

  void CallStarted(AulmEndpoint endpoint);
  // `reason`: ErrorInfo's, or "OK".
  void CallDone(AulmEndpoint endpoint, absl::string_view reason, absl::Duration took);
  // A call that the gate refused; aulm was not asked.
  void CallRefused(AulmEndpoint endpoint, absl::string_view reason);
  void CallDetached();
  void ConnectionOpened();
  void ConnectionClosed();
  void SetUnreachable(const std::string& base_url, bool unreachable);
  // The gauges of one account and of one base URL, which live as long as this.
  prometheus::Gauge& SuspendedOf(const std::string& account) { return suspended_.Add({{"account", account}}); }
  prometheus::Gauge& CooldownOf(const std::string& base_url) { return cooldown_.Add({{"base_url", base_url}}); }

 private:
  static constexpr size_t kEndpoints = 3;
  struct PerEndpoint {
    prometheus::Counter* ok = nullptr;
    prometheus::Gauge* in_flight = nullptr;
    prometheus::Histogram* seconds = nullptr;
  };

  void Count(AulmEndpoint endpoint, absl::string_view reason);

  prometheus::Family<prometheus::Counter>& calls_;
  std::array<PerEndpoint, kEndpoints> endpoints_;
  prometheus::Counter* detached_;
  prometheus::Gauge* connections_;
  prometheus::Counter* connections_opened_;
  prometheus::Family<prometheus::Gauge>& unreachable_;
  prometheus::Family<prometheus::Gauge>& suspended_;
  prometheus::Family<prometheus::Gauge>& cooldown_;

  absl::Mutex mutex_;
  // Counters of errors by reason, made when first seen.
  std::map<std::string, std::array<prometheus::Counter*, kEndpoints>, std::less<>> errors_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace aulm::gateway
