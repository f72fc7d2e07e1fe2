#include "service/storage/jetstream/append_pipeline.h"

#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "service/storage/delivery_key.h"
#include "service/storage/jetstream/jetstream_api.h"
#include "service/storage/jetstream/stored_event.h"

namespace aulm::gateway {
namespace {

// A time in the future says nothing of the past.
constexpr absl::Duration kClocksDiffer = absl::Minutes(1);
constexpr int kQuickLookups = 3;
constexpr size_t kMostInProcess = 1000;

}  // namespace

AppendPipeline::AppendPipeline(Options options, NatsConnection& connection, Clock& clock, Random& random,
                               StorageMetrics& metrics, std::function<uint64_t()> head,
                               std::function<uint64_t()> earliest, std::function<void()> replace_leader)
    : options_(std::move(options)),
      connection_(connection),
      clock_(clock),
      random_(random),
      metrics_(metrics),
      head_(std::move(head)),
      earliest_(std::move(earliest)),
      replace_leader_(std::move(replace_leader)),
      quick_lookups_(connection, clock, options_.quick_timeout),
      lookups_(connection, clock, options_.try_timeout),
      publishes_(connection, clock, options_.try_timeout),
      marks_(connection, clock, options_.try_timeout) {}

absl::Status AppendPipeline::Start() {
  for (BulkRequests* requests : AllRequests()) {
    if (absl::Status failed = requests->Start(); !failed.ok()) return failed;
  }
  return absl::OkStatus();
}

void AppendPipeline::OnDisconnected() {
  for (BulkRequests* requests : AllRequests()) {
    requests->FailAll(absl::UnavailableError("nats: the connection broke"));
  }
}

void AppendPipeline::Stop() {
  for (BulkRequests* requests : AllRequests()) requests->Stop();
}

void AppendPipeline::Append(const NewEvent& event, EventLog::AppendCallback done) {
  auto item = std::make_shared<Item>();
  item->subject = EventSubject(options_.prefix, event);
  item->message_id = EventMessageId(event);
  // Without an id of its own it is never a duplicate, but a publish that is repeated must not be stored twice.
  if (item->message_id.empty()) item->message_id = absl::StrCat(event.account, "/~u", random_.Uuid());
  item->payload = EncodeStoredEvent(event);
  item->delivery_key = DeliveryKey(event.account, event.delivery_id);
  item->done = std::move(done);
  item->begun = clock_.Now();
  // Half of the window is for clocks that differ, and for the time that a repeat may take.
  item->recent =
      event.not_before > item->begun - options_.duplicate_window / 2 && event.not_before < item->begun + kClocksDiffer;
  if (absl::Status refused = Admit(item->payload.size()); !refused.ok()) {
    connection_.loop().Post([item = std::move(item), refused] { std::move(item->done)(refused); });
    return;
  }
  connection_.loop().Post([this, item = std::move(item)]() mutable { Take(std::move(item)); });
}

absl::Status AppendPipeline::Admit(size_t bytes) {
  if (closed_) return absl::UnavailableError("store: closing");
  if (down_) return absl::UnavailableError("store: there is no connection to NATS");
  const size_t appends = ++open_;
  const size_t total = open_bytes_ += bytes;
  if (appends <= options_.max_appends && total <= options_.max_bytes) return absl::OkStatus();
  --open_;
  open_bytes_ -= bytes;
  metrics_.Refused();
  return absl::ResourceExhaustedError("store: too many appends wait for NATS");
}

void AppendPipeline::Take(ItemPtr item) {
  if (!item->delivery_key.empty()) {
    const auto [found, is_first] = by_delivery_.try_emplace(item->delivery_key, item);
    if (!is_first) {
      found->second->twins.push_back(std::move(item->done));
      --open_;
      open_bytes_ -= item->payload.size();
      return;
    }
  }
  by_age_.push_back(item);
  unpublished_.push_back(item);
  if (item->delivery_key.empty() || item->recent) return PublishReady();
  LookUp(item);
}

std::string AppendPipeline::DeliverySubject(const Item& item) const {
  return absl::StrCat(options_.deliveries_subject, ".", DeliveryToken(item.delivery_key));
}

void AppendPipeline::LookUp(const ItemPtr& item) {
  item->step = Step::kLookingUp;
  item->retry = false;
  BulkRequests& lookups = ++item->lookups <= kQuickLookups ? quick_lookups_ : lookups_;
  lookups.Send(absl::StrCat("$JS.API.DIRECT.GET.", options_.deliveries_stream, ".", DeliverySubject(*item)), {}, "",
               [this, item](absl::StatusOr<NatsMessage> answer) {
                 uint64_t number = 0;
                 if (!answer.ok()) {
                   OnLookedUp(item, answer.status());
                 } else if (absl::SimpleAtoi(answer->data(), &number)) {
                   OnLookedUp(item, number);
                 } else if (answer->Header("Status") == "404") {
                   OnLookedUp(item, uint64_t{0});
                 } else {
                   OnLookedUp(item, absl::UnavailableError("nats: the delivery's mark cannot be read"));
                 }
               });
}

void AppendPipeline::OnLookedUp(const ItemPtr& item, absl::StatusOr<uint64_t> sequence) {
  if (item->step != Step::kLookingUp) return;
  if (!sequence.ok()) {
    item->retry = true;
    return;
  }
  if (*sequence != 0) {
    item->duplicate = true;
    item->sequence = *sequence;
    Finish(item, Appended{*sequence < earliest_() ? 0 : *sequence, true});
  } else {
    item->step = Step::kReady;
  }
  PublishReady();
}

void AppendPipeline::PublishReady() {
  while (!unpublished_.empty() && failed_publishes_ == 0) {
    const ItemPtr& front = unpublished_.front();
    if (front->step == Step::kLookingUp) return;
    const ItemPtr item = front;
    unpublished_.pop_front();
    if (item->step == Step::kReady) Publish(item);
  }
}

void AppendPipeline::Publish(const ItemPtr& item) {
  item->step = Step::kPublishing;
  item->retry = false;
  ++item->tries;
  publishes_.Send(item->subject, {{"Nats-Msg-Id", item->message_id}}, item->payload,
                  [this, item](const absl::StatusOr<NatsMessage>& answer) { OnPublished(item, answer); });
}

void AppendPipeline::OnPublished(const ItemPtr& item, const absl::StatusOr<NatsMessage>& answer) {
  if (item->step != Step::kPublishing) return;
  const absl::StatusOr<PublishAck> ack = ParsePublishAck(answer);
  if (!ack.ok()) {
    if (!IsTransient(ack.status())) {
      const bool full = absl::IsResourceExhausted(ack.status());
      return Finish(item, full ? ack.status() : absl::UnavailableError(ack.status().message()));
    }
    item->retry = true;
    ++failed_publishes_;
    if (IsInProcess(ack.status())) NoteInProcess(*item);
    return;
  }
  // A repeated publish that was stored the first time is no duplicate delivery.
  item->duplicate = ack->duplicate && item->tries == 1;
  item->sequence = ack->sequence;
  if (!item->duplicate) stored_.emplace(item->sequence, item);
  if (!item->delivery_key.empty()) return Mark(item);
  item->step = Step::kFollowing;
  AnswerFollowed();
}

void AppendPipeline::NoteInProcess(const Item& item) {
  // One alone gives way: were all forgotten, none would ever be old enough where there are more of them.
  if (in_process_.size() >= kMostInProcess && !in_process_.contains(item.message_id)) {
    in_process_.erase(in_process_.begin());
  }
  const absl::Time now = clock_.Now();
  const InProcess& first = in_process_.try_emplace(item.message_id, InProcess{now, head_()}).first->second;
  // A leader that stores what came later has come to an end with all that came before. Another leader knows nothing of
  // the id, and of what the other one stores this one learns. Never under another id: what is repeated here may still
  // arrive.
  const bool others_pass = head_() > first.head && now - first.since >= options_.try_timeout;
  if (others_pass || now - first.since >= options_.process_limit) replace_leader_();
}

void AppendPipeline::Mark(const ItemPtr& item) {
  item->step = Step::kMarking;
  item->retry = false;
  marks_.Send(DeliverySubject(*item), {}, absl::StrCat(item->sequence),
              [this, item](const absl::StatusOr<NatsMessage>& answer) { OnMarked(item, answer); });
}

void AppendPipeline::OnMarked(const ItemPtr& item, const absl::StatusOr<NatsMessage>& answer) {
  if (item->step != Step::kMarking) return;
  const absl::StatusOr<PublishAck> ack = ParsePublishAck(answer);
  if (!ack.ok()) {
    if (IsTransient(ack.status())) {
      item->retry = true;
      return;
    }
    return Finish(
        item, absl::IsResourceExhausted(ack.status()) ? ack.status() : absl::UnavailableError(ack.status().message()));
  }
  item->step = Step::kFollowing;
  if (item->duplicate) return Finish(item, Appended{item->sequence < earliest_() ? 0 : item->sequence, true});
  AnswerFollowed();
}

void AppendPipeline::OnHead() { AnswerFollowed(); }

void AppendPipeline::AnswerFollowed() {
  if (stored_.empty()) return;
  const uint64_t head = head_();
  while (!stored_.empty()) {
    const ItemPtr item = stored_.begin()->second;
    if (item->step != Step::kFollowing || item->sequence > head) return;
    Finish(item, Appended{item->sequence, false});
  }
}

void AppendPipeline::Finish(const ItemPtr& item, absl::StatusOr<Appended> result) {
  if (item->step == Step::kDone) return;
  if (item->step == Step::kPublishing && item->retry) --failed_publishes_;
  if (item->sequence != 0 && !item->duplicate) {
    const auto found = stored_.find(item->sequence);
    if (found != stored_.end() && found->second == item) stored_.erase(found);
  }
  item->step = Step::kDone;
  if (!item->delivery_key.empty()) by_delivery_.erase(item->delivery_key);
  // Without an id of its own it does not come again under this one.
  if (result.ok() || item->delivery_key.empty()) in_process_.erase(item->message_id);
  if (result.ok()) {
    metrics_.Committed(result->duplicate ? 0 : 1, (result->duplicate ? 1 : 0) + item->twins.size(), 0,
                       clock_.Now() - item->begun);
  } else {
    metrics_.Failed(result.status());
  }
  const size_t bytes = item->payload.size();
  item->payload = std::string();
  std::vector<EventLog::AppendCallback> twins = std::move(item->twins);
  std::move(item->done)(result);
  for (EventLog::AppendCallback& twin : twins) {
    absl::StatusOr<Appended> same = result;
    if (same.ok()) same->duplicate = true;
    std::move(twin)(std::move(same));
  }
  --open_;
  open_bytes_ -= bytes;
}

void AppendPipeline::NoteConnection(absl::Time now) {
  if (connection_.connected()) {
    down_since_ = absl::InfiniteFuture();
    down_ = false;
    return;
  }
  down_since_ = std::min(down_since_, now);
  down_ = now - down_since_ >= options_.patience;
}

void AppendPipeline::Tick() {
  for (BulkRequests* requests : AllRequests()) requests->Tick();
  const absl::Time now = clock_.Now();
  metrics_.SetQueued(open_);
  NoteConnection(now);
  while (!by_age_.empty()) {
    const ItemPtr item = by_age_.front();
    if (item->step != Step::kDone) {
      if (now - item->begun < options_.limit && !down_) break;
      if (item->step == Step::kFollowing) {
        // Stored and marked: that this replica has not read it back yet is no reason to have aulm send it again.
        Finish(item, Appended{item->sequence, false});
      } else {
        Finish(item, absl::UnavailableError("store: NATS did not take the event in time"));
      }
    }
    by_age_.pop_front();
  }
  if (!connection_.connected()) return;
  std::vector<ItemPtr> again;
  for (const ItemPtr& item : by_age_) {
    if (item->retry && item->step != Step::kDone) again.push_back(item);
  }
  for (const ItemPtr& item : again) {
    switch (item->step) {
      case Step::kLookingUp:
        LookUp(item);
        break;
      case Step::kPublishing:
        --failed_publishes_;
        Publish(item);
        break;
      case Step::kMarking:
        Mark(item);
        break;
      default:
        break;
    }
  }
  PublishReady();
}

}  // namespace aulm::gateway
