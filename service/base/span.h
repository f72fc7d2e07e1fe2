#pragma once

#include <memory>
#include <string>

#include "absl/strings/string_view.h"

namespace aulm::gateway {

// One step of a send's or a delivery's way, for whoever collects traces: it begins, may get attributes, and ends; its
// parent is told by a W3C traceparent, and so is it to the next. Spans are recorded where the gateway was built with
// opentelemetry-cpp (Debian 12 has none) and OTEL_EXPORTER_OTLP_ENDPOINT says where they go; otherwise a span holds
// nothing, costs nothing, and traceparents pass through as they came. Never give it a secret, a body or a phone number.
// One thread after the other.
class Span {
 public:
  enum class Kind {
    kServer,  // we were asked
    kClient,  // we ask
  };

  // Holds nothing.
  Span();
  // Begins. A `traceparent` that is none begins a trace of its own.
  Span(Kind kind, absl::string_view name, absl::string_view traceparent);
  Span(Span&&) noexcept;
  Span& operator=(Span&&) noexcept;
  // Ends, when nobody has ended it.
  ~Span();

  // What to pass on as traceparent: the span's own, or `traceparent` as it is where nothing is recorded.
  std::string Context(absl::string_view traceparent) const;

  void Attribute(absl::string_view key, absl::string_view value);

  // Notes that something happened now, such as "started": for a span that ends long after its first answer.
  void Event(absl::string_view name);

  // Marks it as failed, with a word such as "PACED".
  void Fail(absl::string_view reason);

  void End();

 private:
  struct Recorded;
  std::unique_ptr<Recorded> recorded_;
};

// Begins to record, where the build and the environment say so. Before the first span, once; `instance` tells this
// replica from others. Spans go out in batches, on a thread of opentelemetry's.
void StartTracing(absl::string_view instance);

// Sends what is left, for at most some seconds, and records no more.
void StopTracing();

// For --version: "opentelemetry-cpp 1.19.0", or that this build has no spans.
std::string DescribeTracing();

}  // namespace aulm::gateway
