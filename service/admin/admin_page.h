#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <string>

#include "service/admin/overview.h"
#include "service/admin/overview_feed.h"
#include "service/admin/page_access.h"
#include "service/http/http_service.h"

namespace aulm::gateway {

// The page for people on the admin listener, and what it asks for while it is open:
//   /                the page; a form for the token where one is needed
//   /page.css …      its files, which hold nothing of this gateway
//   /live            the overview, once a second, as server-sent events
//   /events?…        the newest events and those that come (EventTail)
//   /parked?subscription=NAME, /configuration   JSON
//   /sign-in, /sign-out   POST: gives the cookie, takes it away
// Nothing else is written by anybody. Every answer forbids scripts, styles and requests of any other origin.
// Thread-safe; never blocks.
class AdminPage {
 public:
  // `configuration` is what DescribeSettings gives. The sources outlive this.
  AdminPage(OverviewSources sources, PageAccess::Options access, Random& random, std::string configuration);

  // True when the path is the page's: then `reply` is or will be answered.
  bool Handle(ServedRequest& request, Reply& reply);

  // Before the sources go: ends what looks at them.
  void Stop() { feed_->Stop(); }

 private:
  void Answer(ServedRequest& request, Reply reply);
  ServedReply SignIn(const ServedRequest& request);
  void AnswerParked(const ServedRequest& request, Reply reply);
  ServedReply OpenTail(const ServedRequest& request);

  const OverviewSources sources_;
  const PageAccess access_;
  const std::string configuration_;
  const std::shared_ptr<OverviewFeed> feed_;
  std::atomic<size_t> tails_ = 0;
};

}  // namespace aulm::gateway
