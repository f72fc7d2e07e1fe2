// Spans where the distribution has no opentelemetry-cpp: none.
#include "service/base/span.h"

namespace aulm::gateway {

struct Span::Recorded {};

Span::Span() = default;
Span::Span(Kind, absl::string_view, absl::string_view) {}
Span::Span(Span&&) noexcept = default;
Span& Span::operator=(Span&&) noexcept = default;
Span::~Span() = default;

std::string Span::Context(absl::string_view traceparent) const { return std::string(traceparent); }

void Span::Attribute(absl::string_view, absl::string_view) {}
void Span::Event(absl::string_view) {}
void Span::Fail(absl::string_view) {}
void Span::End() {}

void StartTracing(absl::string_view) {}
void StopTracing() {}

std::string DescribeTracing() { return "none (built without opentelemetry-cpp: traceparents are passed on, no spans)"; }

}  // namespace aulm::gateway
