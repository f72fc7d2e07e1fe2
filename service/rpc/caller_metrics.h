#pragma once

#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "prometheus/counter.h"
#include "prometheus/family.h"
#include "prometheus/gauge.h"
#include "prometheus/registry.h"

namespace aulm::gateway {

// What credentials a call came with.
enum class Credentials {
  kNone,
  kToken,
  kCertificate,
  kHeader,  // the trusted identity header
};

// "none", "token", "certificate", "header".
absl::string_view CredentialsName(Credentials credentials);

// What the configured callers do, and how often somebody else is turned away; bounded by the configuration.
// Thread-safe.
//   aulm_gateway_caller_calls_total{caller, outcome = ok | failed | not_allowed | overloaded}
//   aulm_gateway_caller_streams{caller}
//   aulm_gateway_unknown_callers_total{credentials = none | token | certificate | header}
class CallerMetrics {
 public:
  // One caller's.
  class Series {
   public:
    void NoteEnd(const absl::Status& status);
    void NoteStreams(size_t open);

   private:
    friend class CallerMetrics;

    // Null for whoever has no name.
    prometheus::Counter* ok_ = nullptr;
    prometheus::Counter* failed_ = nullptr;
    prometheus::Counter* not_allowed_ = nullptr;
    prometheus::Counter* overloaded_ = nullptr;
    prometheus::Gauge* streams_ = nullptr;
  };

  // The registry must outlive this.
  explicit CallerMetrics(prometheus::Registry& registry);

  // Empty: a series that counts nothing.
  Series Add(const std::string& caller);

  void NoteUnknown(Credentials credentials) { unknown_[static_cast<size_t>(credentials)]->Increment(); }

 private:
  prometheus::Family<prometheus::Counter>& calls_;
  prometheus::Family<prometheus::Gauge>& streams_;
  prometheus::Counter* unknown_[4];
};

}  // namespace aulm::gateway
