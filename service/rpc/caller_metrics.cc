#include "service/rpc/caller_metrics.h"

#include "service/base/status_details.h"

namespace aulm::gateway {

absl::string_view CredentialsName(Credentials credentials) {
  switch (credentials) {
    case Credentials::kNone:
      return "none";
    case Credentials::kToken:
      return "token";
    case Credentials::kCertificate:
      return "certificate";
    case Credentials::kHeader:
      return "header";
  }
  return "";
}

void CallerMetrics::Series::NoteEnd(const absl::Status& status) {
  if (ok_ == nullptr) return;
  if (status.ok()) {
    ok_->Increment();
  } else if (HasReason(status, GatewayReason::kCallerNotAllowed)) {
    not_allowed_->Increment();
  } else if (HasReason(status, GatewayReason::kOverloaded)) {
    overloaded_->Increment();
  } else {
    failed_->Increment();
  }
}

void CallerMetrics::Series::NoteStreams(size_t open) {
  if (streams_ != nullptr) streams_->Set(static_cast<double>(open));
}

CallerMetrics::CallerMetrics(prometheus::Registry& registry)
    : calls_(prometheus::BuildCounter()
                 .Name("aulm_gateway_caller_calls_total")
                 .Help("Calls and streams of each configured caller that ended, by what became of them.")
                 .Register(registry)),
      streams_(prometheus::BuildGauge()
                   .Name("aulm_gateway_caller_streams")
                   .Help("SubscribeEvents streams of each configured caller that are open.")
                   .Register(registry)) {
  auto& unknown = prometheus::BuildCounter()
                      .Name("aulm_gateway_unknown_callers_total")
                      .Help("Calls of nobody who is known, by the credentials that they came with.")
                      .Register(registry);
  for (const Credentials credentials :
       {Credentials::kNone, Credentials::kToken, Credentials::kCertificate, Credentials::kHeader}) {
    unknown_[static_cast<size_t>(credentials)] =
        &unknown.Add({{"credentials", std::string(CredentialsName(credentials))}});
  }
}

CallerMetrics::Series CallerMetrics::Add(const std::string& caller) {
  Series series;
  if (caller.empty()) return series;
  const auto calls = [&](const char* outcome) { return &calls_.Add({{"caller", caller}, {"outcome", outcome}}); };
  series.ok_ = calls("ok");
  series.failed_ = calls("failed");
  series.not_allowed_ = calls("not_allowed");
  series.overloaded_ = calls("overloaded");
  series.streams_ = &streams_.Add({{"caller", caller}});
  return series;
}

}  // namespace aulm::gateway
