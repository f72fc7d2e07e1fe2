#include "service/messaging/sent_messages.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "prometheus/family.h"
#include "service/messaging/message_record.h"

namespace aulm::gateway {
namespace {

namespace stored = aulm::gateway::state::v1;

std::string ConversationOf(absl::string_view account, absl::string_view session_id, absl::string_view to) {
  return absl::StrCat(account, "\n", absl::AsciiStrToLower(session_id), "\n", to);
}

// As SendsElsewhere names it.
absl::string_view SessionOf(absl::string_view conversation) { return conversation.substr(0, conversation.rfind('\n')); }

prometheus::Family<prometheus::Counter>& Statuses(prometheus::Registry& registry) {
  return prometheus::BuildCounter()
      .Name("aulm_statuses_total")
      .Help("Status webhooks, by where the gateway found the message that they are about.")
      .Register(registry);
}

}  // namespace

std::shared_ptr<SentMessages> SentMessages::Create(Options options, StateStore& store, Clock& clock,
                                                   prometheus::Registry& registry) {
  return std::shared_ptr<SentMessages>(new SentMessages(std::move(options), store, clock, registry));
}

SentMessages::SentMessages(Options options, StateStore& store, Clock& clock, prometheus::Registry& registry)
    : options_(std::move(options)),
      store_(store),
      clock_(clock),
      from_memory_(Statuses(registry).Add({{"match", "memory"}})),
      from_store_(Statuses(registry).Add({{"match", "store"}})),
      awaited_(Statuses(registry).Add({{"match", "awaited"}})),
      timed_out_(Statuses(registry).Add({{"match", "timed_out"}})),
      unknown_(Statuses(registry).Add({{"match", "unknown"}})) {}

void SentMessages::Expectation::End() {
  if (const auto owner = std::exchange(owner_, nullptr); owner != nullptr) owner->EndOf(conversation_);
}

SentMessages::Expectation SentMessages::Expect(absl::string_view account, absl::string_view session_id,
                                               absl::string_view to) {
  Expectation expectation;
  expectation.owner_ = shared_from_this();
  expectation.conversation_ = ConversationOf(account, session_id, to);
  if (options_.elsewhere != nullptr) options_.elsewhere->Begin(SessionOf(expectation.conversation_));
  absl::MutexLock lock(&mutex_);
  ++conversations_[expectation.conversation_].sends;
  return expectation;
}

void SentMessages::Add(const Send& send, absl::string_view account, const SendResult& result) {
  if (options_.on_sent) options_.on_sent(account, result);
  std::string key = MessageKey(account, send.session_id, result.message_id);
  if (key.empty()) return;
  std::string marks = EncodeMarks(send);
  absl::MutexLock lock(&mutex_);
  Remember(std::move(key), std::move(marks));
}

void SentMessages::Find(absl::string_view account, absl::string_view session_id, absl::string_view to,
                        absl::string_view message_id, Found found) {
  std::string key = MessageKey(account, session_id, message_id);
  if (key.empty()) {
    unknown_.Increment();
    return std::move(found)(Match());
  }
  std::optional<std::string> recalled;
  {
    absl::MutexLock lock(&mutex_);
    recalled = Recall(key);
  }
  if (recalled.has_value()) {
    from_memory_.Increment();
    return std::move(found)(Match{true, *std::move(recalled)});
  }
  // Before any waiting: it may well be an older message.
  store_.Get(kMessageBucket, key,
             [self = shared_from_this(), key, conversation = ConversationOf(account, session_id, to),
              found = std::move(found)](absl::StatusOr<std::optional<StateEntry>> entry) mutable {
               stored::MessageRecord record;
               if (!entry.ok() || !entry->has_value() || !record.ParseFromString((*entry)->value)) {
                 return self->FindOrWait(conversation, std::move(key), entry.ok(), std::move(found));
               }
               Match match{true, EncodeMarks(record)};
               {
                 absl::MutexLock lock(&self->mutex_);
                 self->Remember(std::move(key), match.marks);  // further statuses of it will come
               }
               self->from_store_.Increment();
               std::move(found)(std::move(match));
             });
}

void SentMessages::FindOrWait(const std::string& conversation, std::string key, bool looked, Found found) {
  std::optional<std::string> marks;
  const bool elsewhere = options_.elsewhere != nullptr && (!looked || MayBeElsewhere(conversation));
  {
    absl::MutexLock lock(&mutex_);
    marks = Recall(key);  // the send may have ended while the store was asked
    const auto sending = conversations_.find(conversation);
    if (!marks.has_value() && sending != conversations_.end() && !closed_) {
      const uint64_t id = next_waiter_++;
      const Clock::TimerId timer = clock_.CallAfter(options_.longest_wait, [weak = weak_from_this(), conversation, id] {
        if (const auto self = weak.lock()) self->GiveUp(conversation, id);
      });
      sending->second.waiters.push_back({id, std::move(key), std::move(found), timer});
      return;
    }
    if (!marks.has_value() && elsewhere && !closed_) return LookLater(std::move(key), std::move(found));
  }
  (marks.has_value() ? awaited_ : unknown_).Increment();
  const bool known = marks.has_value();
  std::move(found)(Match{known, std::move(marks).value_or("")});
}

bool SentMessages::MayBeElsewhere(const std::string& conversation) const {
  return options_.elsewhere != nullptr && options_.elsewhere->Possible(SessionOf(conversation));
}

void SentMessages::LookLater(std::string key, Found found) {
  const uint64_t id = next_waiter_++;
  const Clock::TimerId timer = clock_.CallAfter(options_.second_look, [weak = weak_from_this(), id] {
    if (const auto self = weak.lock()) self->LookAgain(id);
  });
  looking_again_.push_back({id, std::move(key), std::move(found), timer});
}

void SentMessages::EndOf(const std::string& conversation) {
  if (options_.elsewhere != nullptr) options_.elsewhere->End(SessionOf(conversation));
  const bool elsewhere = MayBeElsewhere(conversation);
  std::vector<std::pair<Waiter, std::optional<std::string>>> through;
  {
    absl::MutexLock lock(&mutex_);
    const auto sending = conversations_.find(conversation);
    if (sending == conversations_.end()) return;
    const bool last = --sending->second.sends == 0;
    std::list<Waiter>& waiters = sending->second.waiters;
    for (auto waiter = waiters.begin(); waiter != waiters.end();) {
      std::optional<std::string> marks = Recall(waiter->key);
      if (!marks.has_value() && !last) {
        ++waiter;  // another send is still under way
        continue;
      }
      if (!marks.has_value() && elsewhere && !closed_) {  // another replica sends to the number, too
        clock_.Cancel(waiter->timer);
        LookLater(std::move(waiter->key), std::move(waiter->found));
      } else {
        through.emplace_back(std::move(*waiter), std::move(marks));
      }
      waiter = waiters.erase(waiter);
    }
    if (last) conversations_.erase(sending);
  }
  for (auto& [waiter, marks] : through) {
    clock_.Cancel(waiter.timer);
    (marks.has_value() ? awaited_ : unknown_).Increment();
    const bool known = marks.has_value();
    std::move(waiter.found)(Match{known, std::move(marks).value_or("")});
  }
}

void SentMessages::GiveUp(const std::string& conversation, uint64_t waiter) {
  Found found;
  {
    absl::MutexLock lock(&mutex_);
    const auto sending = conversations_.find(conversation);
    if (sending == conversations_.end()) return;
    std::list<Waiter>& waiters = sending->second.waiters;
    for (auto place = waiters.begin(); place != waiters.end() && found == nullptr; ++place) {
      if (place->id != waiter) continue;
      found = std::move(place->found);
      waiters.erase(place);
      break;
    }
  }
  if (found == nullptr) return;
  timed_out_.Increment();
  // The send may yet turn out to be this message's.
  std::move(found)(Match{true, ""});
}

void SentMessages::LookAgain(uint64_t waiter) {
  std::list<Waiter> looking;
  {
    absl::MutexLock lock(&mutex_);
    const auto place = std::find_if(looking_again_.begin(), looking_again_.end(),
                                    [waiter](const Waiter& known) { return known.id == waiter; });
    if (place == looking_again_.end()) return;
    looking.splice(looking.begin(), looking_again_, place);
  }
  Waiter& found = looking.front();
  store_.Get(kMessageBucket, found.key,
             [self = shared_from_this(), key = found.key,
              done = std::move(found.found)](const absl::StatusOr<std::optional<StateEntry>>& entry) mutable {
               stored::MessageRecord record;
               if (!entry.ok() || !entry->has_value() || !record.ParseFromString((*entry)->value)) {
                 self->unknown_.Increment();
                 return std::move(done)(Match());
               }
               Match match{true, EncodeMarks(record)};
               {
                 absl::MutexLock lock(&self->mutex_);
                 self->Remember(std::move(key), match.marks);
               }
               self->awaited_.Increment();
               std::move(done)(std::move(match));
             });
}

void SentMessages::Close() {
  std::list<Waiter> left;
  {
    absl::MutexLock lock(&mutex_);
    closed_ = true;
    for (auto& [name, conversation] : conversations_) left.splice(left.end(), conversation.waiters);
    left.splice(left.end(), looking_again_);
  }
  for (Waiter& waiter : left) {
    clock_.Cancel(waiter.timer);
    timed_out_.Increment();
    std::move(waiter.found)(Match{true, ""});
  }
}

std::optional<std::string> SentMessages::Recall(const std::string& key) {
  const auto known = by_key_.find(key);
  if (known == by_key_.end()) return std::nullopt;
  return known->second->marks;
}

void SentMessages::Remember(std::string key, std::string marks) {
  if (by_key_.contains(key)) return;
  bytes_ += key.size() + marks.size();
  by_age_.push_front({std::move(key), std::move(marks)});
  by_key_.emplace(by_age_.front().key, by_age_.begin());
  while (by_age_.size() > options_.max_messages || bytes_ > options_.max_bytes) {
    const Message& oldest = by_age_.back();
    bytes_ -= oldest.key.size() + oldest.marks.size();
    by_key_.erase(oldest.key);
    by_age_.pop_back();
  }
}

}  // namespace aulm::gateway
