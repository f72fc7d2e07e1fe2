#pragma once

#include <vector>

#include "absl/strings/string_view.h"
#include "prometheus/collectable.h"
#include "service/admin/admin_page.h"
#include "service/admin/readiness.h"
#include "service/http/http_service.h"

namespace aulm::gateway {

// What the admin listener serves, to GET and HEAD alone:
//   /        the page to look at, and what it asks for (AdminPage); without one, which paths there are
//   /livez   200 as long as the process serves at all: it asks neither aulm nor the store
//   /readyz  200, or 503 with a line for each check that is not ready; with ?verbose a line for every check
//   /metrics Prometheus's text format
// Nothing here changes anything, and nothing shows a secret. Health and metrics need no token. Thread-safe.
class AdminService final : public HttpService {
 public:
  // All must outlive the service; without `page` there is none. Metrics are collected on the server's thread.
  AdminService(const Readiness& readiness, std::vector<const prometheus::Collectable*> metrics,
               AdminPage* page = nullptr);

  void Handle(ServedRequest& request, Reply reply) override;

 private:
  ServedReply Answer(const ServedRequest& request) const;
  ServedReply AnswerReadiness(absl::string_view query) const;

  const Readiness& readiness_;
  const std::vector<const prometheus::Collectable*> metrics_;
  AdminPage* const page_;
};

}  // namespace aulm::gateway
