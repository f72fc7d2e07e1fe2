// Spans by opentelemetry-cpp, sent by OTLP over HTTP. Its own environment variables (OTEL_EXPORTER_OTLP_…,
// OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES) say where they go and what they are called.
#include <chrono>
#include <cstdlib>
#include <utility>

#include "opentelemetry/context/propagation/text_map_propagator.h"
#include "opentelemetry/exporters/otlp/otlp_http_exporter_factory.h"
#include "opentelemetry/sdk/resource/resource.h"
#include "opentelemetry/sdk/trace/batch_span_processor_factory.h"
#include "opentelemetry/sdk/trace/batch_span_processor_options.h"
#include "opentelemetry/sdk/trace/tracer_provider.h"
#include "opentelemetry/sdk/trace/tracer_provider_factory.h"
#include "opentelemetry/sdk/version/version.h"
#include "opentelemetry/trace/context.h"
#include "opentelemetry/trace/propagation/http_trace_context.h"
#include "opentelemetry/trace/provider.h"
#include "service/base/span.h"
#include "service/base/traceparent.h"
#include "service/base/version.h"

namespace aulm::gateway {
namespace {

namespace otel = opentelemetry;

constexpr std::chrono::seconds kFlushLimit(3);

otel::nostd::string_view View(absl::string_view text) { return {text.data(), text.size()}; }

// One header, as the propagator reads and writes it.
class Carrier final : public otel::context::propagation::TextMapCarrier {
 public:
  explicit Carrier(absl::string_view traceparent = {}) : traceparent_(traceparent) {}

  otel::nostd::string_view Get(otel::nostd::string_view key) const noexcept override {
    return key == "traceparent" ? otel::nostd::string_view(traceparent_) : otel::nostd::string_view();
  }
  void Set(otel::nostd::string_view key, otel::nostd::string_view value) noexcept override {
    if (key == "traceparent") traceparent_.assign(value.data(), value.size());
  }
  const std::string& traceparent() const { return traceparent_; }

 private:
  std::string traceparent_;
};

// Where spans are made; null while nothing is recorded.
otel::nostd::shared_ptr<otel::trace::Tracer>& Tracer() {
  static auto* const tracer = new otel::nostd::shared_ptr<otel::trace::Tracer>();
  return *tracer;
}

bool Wanted() {
  return std::getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != nullptr ||
         std::getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") != nullptr;
}

}  // namespace

struct Span::Recorded {
  otel::nostd::shared_ptr<otel::trace::Span> span;
};

Span::Span() = default;

Span::Span(Kind kind, absl::string_view name, absl::string_view traceparent) {
  if (Tracer() == nullptr) return;
  otel::trace::StartSpanOptions options;
  options.kind = kind == Kind::kServer ? otel::trace::SpanKind::kServer : otel::trace::SpanKind::kClient;
  if (IsTraceparent(traceparent)) {
    otel::context::Context none;
    options.parent = otel::trace::propagation::HttpTraceContext().Extract(Carrier(traceparent), none);
  } else {
    options.parent = otel::context::Context();
  }
  recorded_ = std::make_unique<Recorded>();
  recorded_->span = Tracer()->StartSpan(View(name), options);
}

Span::Span(Span&&) noexcept = default;

Span& Span::operator=(Span&& other) noexcept {
  End();
  recorded_ = std::move(other.recorded_);
  return *this;
}

Span::~Span() { End(); }

std::string Span::Context(absl::string_view traceparent) const {
  if (recorded_ == nullptr) return std::string(traceparent);
  otel::context::Context none;
  const otel::context::Context own = otel::trace::SetSpan(none, recorded_->span);
  Carrier carrier;
  otel::trace::propagation::HttpTraceContext().Inject(carrier, own);
  return carrier.traceparent();
}

void Span::Attribute(absl::string_view key, absl::string_view value) {
  if (recorded_ != nullptr) recorded_->span->SetAttribute(View(key), View(value));
}

void Span::Event(absl::string_view name) {
  if (recorded_ != nullptr) recorded_->span->AddEvent(View(name));
}

void Span::Fail(absl::string_view reason) {
  if (recorded_ != nullptr) recorded_->span->SetStatus(otel::trace::StatusCode::kError, View(reason));
}

void Span::End() {
  if (recorded_ == nullptr) return;
  recorded_->span->End();
  recorded_.reset();
}

void StartTracing(absl::string_view instance) {
  if (!Wanted()) return;
  otel::sdk::resource::ResourceAttributes attributes;
  if (std::getenv("OTEL_SERVICE_NAME") == nullptr) attributes["service.name"] = "aulm-gateway";
  attributes["service.version"] = std::string(GatewayVersion());
  attributes["service.instance.id"] = std::string(instance);
  std::shared_ptr<otel::trace::TracerProvider> provider = otel::sdk::trace::TracerProviderFactory::Create(
      otel::sdk::trace::BatchSpanProcessorFactory::Create(otel::exporter::otlp::OtlpHttpExporterFactory::Create(),
                                                          otel::sdk::trace::BatchSpanProcessorOptions()),
      otel::sdk::resource::Resource::Create(attributes));
  otel::trace::Provider::SetTracerProvider(otel::nostd::shared_ptr<otel::trace::TracerProvider>(provider));
  Tracer() = provider->GetTracer("aulm-gateway");
}

void StopTracing() {
  if (Tracer() == nullptr) return;
  Tracer() = nullptr;
  const auto provider = otel::trace::Provider::GetTracerProvider();
  static_cast<otel::sdk::trace::TracerProvider*>(provider.get())->ForceFlush(kFlushLimit);
  otel::trace::Provider::SetTracerProvider({});
}

std::string DescribeTracing() { return "opentelemetry-cpp " OPENTELEMETRY_SDK_VERSION; }

}  // namespace aulm::gateway
