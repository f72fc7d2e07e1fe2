#include "service/admin/overview_feed.h"

#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"

namespace aulm::gateway {
namespace {

constexpr absl::Duration kTick = absl::Seconds(1);
constexpr size_t kHistory = 300;
// An overview that is younger is shown at once to a page that opens.
constexpr absl::Duration kFresh = absl::Seconds(3);
constexpr uint32_t kMostSubscriptions = 100;

}  // namespace

// One open page: knows which overview it has had.
class OverviewFeed::Page final : public ReplySource {
 public:
  explicit Page(std::shared_ptr<OverviewFeed> feed) : feed_(std::move(feed)) {}
  ~Page() override {
    absl::MutexLock lock(&feed_->mutex_);
    --feed_->pages_;
  }

  void Next(Reply next) override {
    std::string newest;
    {
      absl::MutexLock lock(&feed_->mutex_);
      const bool fresh = feed_->sources_.clock.Now() - feed_->made_ < kFresh;
      if (seen_ == feed_->number_ || !fresh) {
        seen_ = feed_->number_ + 1;  // the next one goes to all who wait
        feed_->waiting_.push_back(std::move(next));
        return;
      }
      seen_ = feed_->number_;
      newest = feed_->newest_;
    }
    std::move(next).Send({.body = std::move(newest)});
  }

 private:
  const std::shared_ptr<OverviewFeed> feed_;
  uint64_t seen_ = 0;  // of the server's thread, which asks for one piece after the other
};

std::shared_ptr<OverviewFeed> OverviewFeed::Create(OverviewSources sources) {
  std::shared_ptr<OverviewFeed> feed(new OverviewFeed(std::move(sources)));
  feed->Tick();
  return feed;
}

OverviewFeed::OverviewFeed(OverviewSources sources)
    : sources_(std::move(sources)), head_(sources_.hub.log().Info().head) {}

void OverviewFeed::Stop() {
  std::vector<Reply> waiting;  // answered outside the lock, as ended
  absl::MutexLock lock(&mutex_);
  stopped_ = true;
  waiting.swap(waiting_);
}

std::shared_ptr<ReplySource> OverviewFeed::Open() {
  {
    absl::MutexLock lock(&mutex_);
    if (stopped_ || pages_ == kMostPages) return nullptr;
    if (++pages_ == 1) made_ = absl::InfinitePast();
  }
  return std::make_shared<Page>(shared_from_this());
}

// Under the lock throughout, so that nothing of the sources is touched once Stop has returned.
void OverviewFeed::Tick() {
  absl::MutexLock lock(&mutex_);
  if (stopped_) return;
  const uint64_t head = sources_.hub.log().Info().head;
  history_.push_back(
      static_cast<uint32_t>(std::min<uint64_t>(head - std::min(head, head_), std::numeric_limits<uint32_t>::max())));
  head_ = head;
  if (history_.size() > kHistory) history_.pop_front();
  if (!waiting_.empty() && !making_) {
    making_ = true;
    sources_.hub.Post([self = shared_from_this()] { self->Make(); });
  }
  sources_.clock.CallAfter(kTick, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->Tick();
  });
}

void OverviewFeed::AskForSubscriptions() {
  {
    absl::MutexLock lock(&mutex_);
    if (std::exchange(asking_, true)) return;
  }
  v1::ListSubscriptionsRequest request;
  request.set_page_size(kMostSubscriptions);
  sources_.subscriptions.List(
      request, [self = shared_from_this()](absl::StatusOr<v1::ListSubscriptionsResponse> subscriptions) {
        auto known = std::make_shared<const absl::StatusOr<v1::ListSubscriptionsResponse>>(std::move(subscriptions));
        absl::MutexLock lock(&self->mutex_);
        self->asking_ = false;
        self->subscriptions_.swap(known);
      });
}

void OverviewFeed::Make() {
  AskForSubscriptions();
  EventHistory history;
  KnownSubscriptions subscriptions;
  {
    absl::MutexLock lock(&mutex_);
    history = history_;
    subscriptions = subscriptions_;
  }
  const std::string text =
      absl::StrCat("event: overview\ndata: ", WriteOverview(sources_, subscriptions, history), "\n\n");
  std::vector<Reply> waiting;
  {
    absl::MutexLock lock(&mutex_);
    making_ = false;
    ++number_;
    newest_ = text;
    made_ = sources_.clock.Now();
    waiting.swap(waiting_);
  }
  for (Reply& reply : waiting) std::move(reply).Send({.body = text});
}

}  // namespace aulm::gateway
