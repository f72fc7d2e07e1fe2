#include "service/aulm/aulm_metrics.h"

namespace aulm::gateway {
namespace {

constexpr size_t kMostReasons = 64;
constexpr const char* kOther = "OTHER";
const prometheus::Histogram::BucketBoundaries kSeconds = {0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30};

size_t Index(AulmEndpoint endpoint) { return static_cast<size_t>(endpoint); }

}  // namespace

absl::string_view EndpointName(AulmEndpoint endpoint) {
  constexpr absl::string_view kNames[] = {"send_text", "send_image", "session_status"};
  return kNames[Index(endpoint)];
}

AulmMetrics::AulmMetrics(prometheus::Registry& registry)
    : calls_(prometheus::BuildCounter()
                 .Name("aulm_api_calls_total")
                 .Help("Calls to aulm by endpoint and by what they came to: OK or the error's reason.")
                 .Register(registry)),
      unreachable_(prometheus::BuildGauge()
                       .Name("aulm_api_unreachable")
                       .Help("1 while sends are refused because aulm cannot be reached.")
                       .Register(registry)),
      suspended_(prometheus::BuildGauge()
                     .Name("aulm_api_account_suspended")
                     .Help("1 while aulm refuses the account's key, so that it is not asked again.")
                     .Register(registry)),
      cooldown_(prometheus::BuildGauge()
                    .Name("aulm_api_cooldown_until_seconds")
                    .Help("Unix time up to which aulm holds our address off after too many refused keys; 0 before the "
                          "first time.")
                    .Register(registry)) {
  auto& seconds = prometheus::BuildHistogram()
                      .Name("aulm_api_call_seconds")
                      .Help("Time from the start of a call to aulm to its result.")
                      .Register(registry);
  auto& in_flight = prometheus::BuildGauge()
                        .Name("aulm_api_calls_in_flight")
                        .Help("Calls to aulm that have no result yet.")
                        .Register(registry);
  for (const AulmEndpoint endpoint :
       {AulmEndpoint::kSendText, AulmEndpoint::kSendImage, AulmEndpoint::kSessionStatus}) {
    const std::string name(EndpointName(endpoint));
    PerEndpoint& made = endpoints_[Index(endpoint)];
    made.ok = &calls_.Add({{"endpoint", name}, {"reason", "OK"}});
    made.in_flight = &in_flight.Add({{"endpoint", name}});
    made.seconds = &seconds.Add({{"endpoint", name}}, kSeconds);
  }
  detached_ = &prometheus::BuildCounter()
                   .Name("aulm_api_calls_detached_total")
                   .Help("Sends whose caller was answered, outcome unknown, before aulm had answered.")
                   .Register(registry)
                   .Add({});
  connections_ =
      &prometheus::BuildGauge().Name("aulm_api_connections").Help("Sockets open to aulm.").Register(registry).Add({});
  connections_opened_ = &prometheus::BuildCounter()
                             .Name("aulm_api_connections_opened_total")
                             .Help("Sockets that were opened to aulm.")
                             .Register(registry)
                             .Add({});
}

void AulmMetrics::CallStarted(AulmEndpoint endpoint) { endpoints_[Index(endpoint)].in_flight->Increment(); }

void AulmMetrics::CallDone(AulmEndpoint endpoint, absl::string_view reason, absl::Duration took) {
  endpoints_[Index(endpoint)].in_flight->Decrement();
  endpoints_[Index(endpoint)].seconds->Observe(absl::ToDoubleSeconds(took));
  Count(endpoint, reason);
}

void AulmMetrics::CallRefused(AulmEndpoint endpoint, absl::string_view reason) { Count(endpoint, reason); }

void AulmMetrics::CallDetached() { detached_->Increment(); }

void AulmMetrics::ConnectionOpened() {
  connections_->Increment();
  connections_opened_->Increment();
}

void AulmMetrics::ConnectionClosed() { connections_->Decrement(); }

void AulmMetrics::SetUnreachable(const std::string& base_url, bool unreachable) {
  unreachable_.Add({{"base_url", base_url}}).Set(unreachable ? 1 : 0);
}

void AulmMetrics::Count(AulmEndpoint endpoint, absl::string_view reason) {
  if (reason == "OK") return endpoints_[Index(endpoint)].ok->Increment();
  prometheus::Counter* counter;
  {
    absl::MutexLock lock(&mutex_);
    auto found = errors_.find(reason);
    if (found == errors_.end()) {
      // Codes that are not listed are anybody's words: they must not make series without end.
      const std::string name = errors_.size() < kMostReasons ? std::string(reason) : kOther;
      found = errors_.try_emplace(name).first;
    }
    prometheus::Counter*& slot = found->second[Index(endpoint)];
    if (slot == nullptr) {
      slot = &calls_.Add({{"endpoint", std::string(EndpointName(endpoint))}, {"reason", found->first}});
    }
    counter = slot;
  }
  counter->Increment();
}

}  // namespace aulm::gateway
