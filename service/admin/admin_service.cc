#include "service/admin/admin_service.h"

#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "service/admin/metrics_page.h"

namespace aulm::gateway {
namespace {

constexpr absl::string_view kText = "text/plain; charset=utf-8";
constexpr absl::string_view kIndex =
    "aulm-gateway\n"
    "\n"
    "/livez            does the process serve\n"
    "/readyz           does it want traffic\n"
    "/readyz?verbose   and what it looks at\n"
    "/metrics          for Prometheus\n";

ServedReply Text(int status, std::string body) {
  // no-store: an answer is true of one moment.
  return {.status = status,
          .content_type = kText,
          .headers = {{"cache-control", "no-store"}, {"x-content-type-options", "nosniff"}},
          .body = std::move(body),
          .close = false};
}

bool IsPage(absl::string_view path) {
  return path == "/" || path == "/livez" || path == "/readyz" || path == "/metrics";
}

bool AsksForAll(absl::string_view query) {
  for (const absl::string_view parameter : absl::StrSplit(query, '&')) {
    if (parameter == "verbose" || absl::StartsWith(parameter, "verbose=")) return true;
  }
  return false;
}

}  // namespace

AdminService::AdminService(const Readiness& readiness, std::vector<const prometheus::Collectable*> metrics,
                           AdminPage* page)
    : readiness_(readiness), metrics_(std::move(metrics)), page_(page) {}

void AdminService::Handle(ServedRequest& request, Reply reply) {
  if (page_ != nullptr && page_->Handle(request, reply)) return;
  std::move(reply).Send(Answer(request));
}

ServedReply AdminService::Answer(const ServedRequest& request) const {
  if (!IsPage(request.path)) return Text(404, "not found: see / for what there is\n");
  if (request.method != "GET" && request.method != "HEAD") {
    ServedReply reply = Text(405, "only GET and HEAD: nothing can be changed here\n");
    reply.headers.emplace_back("allow", "GET, HEAD");
    return reply;
  }
  if (request.path == "/livez") return Text(200, "live\n");
  if (request.path == "/readyz") return AnswerReadiness(request.query);
  if (request.path == "/metrics") {
    ServedReply reply = Text(200, WriteMetrics(metrics_));
    reply.content_type = kMetricsContentType;
    return reply;
  }
  return Text(200, std::string(kIndex));
}

ServedReply AdminService::AnswerReadiness(absl::string_view query) const {
  const bool all = AsksForAll(query);
  const std::vector<Readiness::Check> checks = readiness_.Checks();
  bool ready = !checks.empty();
  std::string body;
  for (const Readiness::Check& check : checks) {
    if (!check.reason.empty()) {
      ready = false;
      absl::StrAppend(&body, "[-] ", check.name, ": ", check.reason, "\n");
    } else if (all) {
      absl::StrAppend(&body, "[+] ", check.name, "\n");
    }
  }
  absl::StrAppend(&body, ready ? "ready\n" : "not ready\n");
  return Text(ready ? 200 : 503, std::move(body));
}

}  // namespace aulm::gateway
