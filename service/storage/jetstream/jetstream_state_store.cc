#include "service/storage/jetstream/jetstream_state_store.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "service/storage/jetstream/state_subject.h"
#include "service/storage/state_key.h"

namespace aulm::gateway {
namespace {

// The time that a call may take: a caller of ours waits for it.
constexpr absl::Duration kLimit = absl::Milliseconds(4500);
constexpr absl::Duration kTryTimeout = absl::Milliseconds(1500);
constexpr absl::Duration kDrainStep = absl::Milliseconds(10);
// What is known of more keys than this is forgotten: it only saves asking.
constexpr size_t kMostKnown = 100'000;
// Values of a listing that are asked for at once.
constexpr size_t kListWindow = 128;
constexpr char kMessageIdHeader[] = "Nats-Msg-Id";

absl::Time ExpiresOf(absl::string_view header) {
  int64_t ms = 0;
  return absl::SimpleAtoi(header, &ms) ? absl::FromUnixMillis(ms) : absl::InfiniteFuture();
}

absl::Status InSeamWords(const absl::Status& status) {
  if (absl::IsResourceExhausted(status)) return status;
  return absl::UnavailableError(status.message());
}

}  // namespace

// A call of List on its way: first the subjects, then the values, as many as are wanted.
struct JetStreamStateStore::Listing {
  std::string bucket, prefix, after_key;
  size_t limit;
  ListCallback done;
  absl::Time deadline;
  size_t subjects_seen = 0;
  std::vector<std::string> keys;
  size_t next_key = 0;
  std::vector<StateEntry> entries;
};

JetStreamStateStore::JetStreamStateStore(StateBuckets& buckets, JetStreamApi& api, StateRequests& requests,
                                         TaskThread& thread, const Clock& clock, Random& random,
                                         StorageMetrics& metrics, size_t max_open)
    : buckets_(buckets),
      api_(api),
      requests_(requests),
      thread_(thread),
      clock_(clock),
      random_(random),
      metrics_(metrics),
      max_open_(max_open) {}

absl::Status JetStreamStateStore::Admit() {
  if (closed_) return absl::UnavailableError("store: closing");
  if (open_.fetch_add(1) < max_open_) return absl::OkStatus();
  --open_;
  return absl::ResourceExhaustedError("store: too many reads and writes of state wait");
}

void JetStreamStateStore::Write(std::vector<StateWrite> writes, Durability, WriteCallback done) {
  if (absl::Status refused = Admit(); !refused.ok()) {
    thread_.Post([count = writes.size(), done = std::move(done), refused]() mutable {
      if (done) std::move(done)(std::vector<absl::StatusOr<uint64_t>>(count, refused));
    });
    return;
  }
  thread_.Post([this, writes = std::move(writes), done = std::move(done)]() mutable {
    if (writes.empty()) {
      if (done) std::move(done)({});
      return Leave();
    }
    auto call = std::make_shared<Call>();
    call->results.assign(writes.size(), uint64_t{0});
    call->open = writes.size();
    call->done = std::move(done);
    for (size_t i = 0; i < writes.size(); ++i) {
      auto item = std::make_shared<Item>();
      item->call = call;
      item->index = i;
      item->write = std::move(writes[i]);
      item->begun = clock_.Now();
      Begin(item);
    }
  });
}

void JetStreamStateStore::Begin(const ItemPtr& item) {
  if (absl::Status bad = CheckStateWrite(item->write); !bad.ok()) return Resolve(item, bad);
  item->subject = absl::StrCat(buckets_.SubjectOf(item->write.bucket), ".", StateSubjectOfKey(item->write.key));
  item->message_id = random_.Uuid();
  std::deque<ItemPtr>& queue = queues_[item->subject];
  queue.push_back(item);
  if (queue.size() == 1) Decide(item);
}

void JetStreamStateStore::Decide(const ItemPtr& item) {
  buckets_.Use(item->write.bucket, [this, item](const absl::Status& ready) {
    if (!ready.ok()) return Resolve(item, ready);
    const std::optional<uint64_t>& expected = item->write.expected_revision;
    if (!expected.has_value()) return Publish(item);
    const auto known = known_.find(item->subject);
    // Most keys that must not exist do not; and a revision that is known stays what it is. That a key exists, the
    // leader must say: somebody else may have deleted it.
    if (known == known_.end() && *expected == 0) return DecideKnowing(item, Known());
    if (known != known_.end() &&
        (*expected == 0 ? !known->second.Exists(clock_.Now()) : known->second.revision == *expected)) {
      return DecideKnowing(item, known->second);
    }
    ReadCurrent(item->write.bucket, item->subject, item->begun + kLimit, [this, item](absl::StatusOr<Current> current) {
      if (!current.ok()) return Resolve(item, current.status());
      DecideKnowing(item, current->known);
    });
  });
}

void JetStreamStateStore::DecideKnowing(const ItemPtr& item, const Known& current) {
  const uint64_t revision = current.Exists(clock_.Now()) ? current.revision : 0;
  const uint64_t expected = item->write.expected_revision.value_or(0);
  if (revision != expected) {
    return Resolve(item, absl::AbortedError(absl::StrCat("state: ", item->write.bucket, "/", item->write.key,
                                                         " has revision ", revision, ", not ", expected)));
  }
  // What is thought to exist may be gone: then the leader's answer will lead to a look at it. What is absent may be
  // something deleted or expired, which is to be replaced if it is still the last.
  item->expected = current.revision;
  Publish(item);
}

void JetStreamStateStore::Publish(const ItemPtr& item) {
  // Clusters of 2.11 keep the id of what they refused, and would take what follows under it for that.
  NatsConnection::Headers headers = {
      {kMessageIdHeader, item->refusals == 0 ? item->message_id : absl::StrCat(item->message_id, ".", item->refusals)}};
  const StateWrite& write = item->write;
  if (const std::optional<uint64_t>& expected = item->expected; expected.has_value()) {
    headers.emplace_back("Nats-Expected-Last-Subject-Sequence", absl::StrCat(*expected));
  }
  if (!write.value.has_value()) headers.emplace_back(kOperationHeader, kDeleted);
  if (write.value.has_value() && write.expires < absl::InfiniteFuture()) {
    headers.emplace_back(kExpiresHeader, absl::StrCat(absl::ToUnixMillis(write.expires)));
  }
  requests_.Send(
      buckets_.StreamOf(write.bucket), item->subject, std::move(headers), write.value.value_or(""),
      [this, item](const absl::StatusOr<NatsMessage>& answer) { OnPublished(item, ParsePublishAck(answer)); });
}

void JetStreamStateStore::OnPublished(const ItemPtr& item, const absl::StatusOr<PublishAck>& ack) {
  const StateWrite& write = item->write;
  if (ack.ok()) {
    Remember(item->subject,
             {ack->sequence, absl::FromUnixMillis(absl::ToUnixMillis(write.expires)), !write.value.has_value()});
    return OnMade(item, ack->sequence);
  }
  if (absl::IsAborted(ack.status())) {
    known_.erase(item->subject);
    ++item->refusals;
    if (clock_.Now() - item->begun > kLimit)
      return Resolve(item, absl::UnavailableError("state: the key is contended"));
    return ReadCurrent(write.bucket, item->subject, item->begun + kLimit,
                       [this, item](absl::StatusOr<Current> current) {
                         if (!current.ok()) return Resolve(item, current.status());
                         // Clusters of 2.9 and 2.10 compare before they look for the id: what was made and whose answer
                         // was lost is refused when it is repeated, for its own sake.
                         if (absl::StartsWith(current->message_id, item->message_id)) {
                           return OnMade(item, current->known.revision);
                         }
                         DecideKnowing(item, current->known);
                       });
  }
  if (!IsTransient(ack.status()) || clock_.Now() - item->begun > kLimit) {
    metrics_.Failed(ack.status());
    return Resolve(item, InSeamWords(ack.status()));
  }
  Later([this, item] { Publish(item); });
}

void JetStreamStateStore::OnMade(const ItemPtr& item, uint64_t sequence) {
  metrics_.Committed(0, 0, 1, clock_.Now() - item->begun);
  Resolve(item, item->write.value.has_value() ? sequence : 0);
}

void JetStreamStateStore::Resolve(const ItemPtr& item, absl::StatusOr<uint64_t> result) {
  if (!item->subject.empty()) {
    const auto queue = queues_.find(item->subject);
    queue->second.pop_front();
    if (queue->second.empty()) {
      queues_.erase(queue);
    } else {
      // Not from within: a long queue of refused writes would be as deep.
      thread_.Post([this, next = queue->second.front()] { Decide(next); });
    }
  }
  Call& call = *item->call;
  call.results[item->index] = std::move(result);
  if (--call.open == 0) {
    if (call.done) std::move(call.done)(std::move(call.results));
    Leave();
  }
  for (const std::function<void()>& read : item->then) read();
  item->then.clear();
}

void JetStreamStateStore::AfterWritesOf(const std::string& subject, std::function<void()> read) {
  const auto queue = queues_.find(subject);
  if (queue == queues_.end()) return read();
  queue->second.back()->then.push_back(std::move(read));
}

void JetStreamStateStore::AfterWritesIn(const std::string& bucket, const std::function<void()>& read) {
  const std::string base = absl::StrCat(buckets_.SubjectOf(bucket), ".");
  auto open = std::make_shared<size_t>(0);
  for (auto& [subject, queue] : queues_) {
    if (!absl::StartsWith(subject, base)) continue;
    ++*open;
    queue.back()->then.emplace_back([open, read] {
      if (--*open == 0) read();
    });
  }
  if (*open == 0) read();
}

void JetStreamStateStore::ReadCurrent(const std::string& bucket, const std::string& subject, absl::Time deadline,
                                      std::function<void(absl::StatusOr<Current>)> done) {
  if (buckets_.HasOneCopy(bucket)) return ReadDirectly(bucket, subject, deadline, std::move(done));
  api_.Call(
      absl::StrCat("STREAM.MSG.GET.", buckets_.StreamOf(bucket)), {{"last_by_subj", subject}}, kTryTimeout,
      [this, bucket, subject, deadline, done = std::move(done)](absl::StatusOr<boost::json::object> answer) mutable {
        thread_.Post([this, bucket, subject, deadline, done = std::move(done), answer = std::move(answer)] {
          if (IsTransient(answer.status())) {
            if (clock_.Now() > deadline) return done(InSeamWords(answer.status()));
            return Later([this, bucket, subject, deadline, done] { ReadCurrent(bucket, subject, deadline, done); });
          }
          Current current;
          if (absl::IsNotFound(answer.status())) return done(current);
          if (!answer.ok()) return done(InSeamWords(answer.status()));
          absl::StatusOr<StoredMessage> message = ParseStoredMessage(*answer);
          if (!message.ok()) return done(message.status());
          // Besides ours, NATS' own tools delete with a marker of another name.
          const bool deleted = !message->Header(kOperationHeader).empty();
          current.known = {message->sequence, ExpiresOf(message->Header(kExpiresHeader)), deleted};
          current.message_id = std::string(message->Header(kMessageIdHeader));
          current.value = std::move(message->data);
          Remember(subject, current.known);
          done(std::move(current));
        });
      });
}

void JetStreamStateStore::ReadDirectly(const std::string& bucket, const std::string& subject, absl::Time deadline,
                                       std::function<void(absl::StatusOr<Current>)> done) {
  requests_.Send(
      buckets_.StreamOf(bucket), absl::StrCat("$JS.API.DIRECT.GET.", buckets_.StreamOf(bucket), ".", subject), {}, "",
      [this, bucket, subject, deadline, done = std::move(done)](const absl::StatusOr<NatsMessage>& answer) {
        if (!answer.ok()) {
          if (!IsTransient(answer.status()) || clock_.Now() > deadline) return done(InSeamWords(answer.status()));
          return Later([this, bucket, subject, deadline, done] { ReadCurrent(bucket, subject, deadline, done); });
        }
        Current current;
        if (answer->Header("Status") == "404") return done(current);
        if (!absl::SimpleAtoi(answer->Header("Nats-Sequence"), &current.known.revision)) {
          return done(absl::UnavailableError("state: not an answer"));
        }
        current.known.expires = ExpiresOf(answer->Header(kExpiresHeader));
        current.known.deleted = !answer->Header(kOperationHeader).empty();
        current.message_id = std::string(answer->Header(kMessageIdHeader));
        current.value = std::string(answer->data());
        Remember(subject, current.known);
        done(std::move(current));
      });
}

void JetStreamStateStore::Remember(const std::string& subject, const Known& known) {
  if (known_.size() >= kMostKnown) known_.clear();
  Known& now_known = known_[subject];
  if (known.revision >= now_known.revision) now_known = known;
}

void JetStreamStateStore::Get(std::string bucket, std::string key, GetCallback done) {
  if (absl::Status refused = Admit(); !refused.ok()) {
    thread_.Post([done = std::move(done), refused]() mutable { std::move(done)(refused); });
    return;
  }
  thread_.Post([this, bucket = std::move(bucket), key = std::move(key), done = std::move(done)]() mutable {
    if (absl::Status bad = CheckStateKey(bucket, key); !bad.ok()) {
      std::move(done)(bad);
      return Leave();
    }
    // Shared: a function that is tried again must be copied.
    auto shared = std::make_shared<GetCallback>(std::move(done));
    buckets_.Use(bucket, [this, bucket, key, shared](const absl::Status& ready) {
      if (!ready.ok()) {
        std::move (*shared)(ready);
        return Leave();
      }
      const std::string subject = absl::StrCat(buckets_.SubjectOf(bucket), ".", StateSubjectOfKey(key));
      const auto answer = [this, key, shared](absl::StatusOr<Current> current) {
        if (!current.ok()) {
          std::move (*shared)(current.status());
        } else if (!current->known.Exists(clock_.Now())) {
          std::move (*shared)(std::nullopt);
        } else {
          std::move (*shared)(
              StateEntry{key, std::move(current->value), current->known.revision, current->known.expires});
        }
        Leave();
      };
      AfterWritesOf(subject,
                    [this, bucket, subject, answer] { ReadCurrent(bucket, subject, clock_.Now() + kLimit, answer); });
    });
  });
}

void JetStreamStateStore::List(std::string bucket, std::string prefix, std::string after_key, size_t limit,
                               ListCallback done) {
  if (absl::Status refused = Admit(); !refused.ok()) {
    thread_.Post([done = std::move(done), refused]() mutable { std::move(done)(refused); });
    return;
  }
  auto listing = std::make_shared<Listing>();
  listing->bucket = std::move(bucket);
  listing->prefix = std::move(prefix);
  listing->after_key = std::move(after_key);
  listing->limit = limit;
  listing->done = std::move(done);
  listing->deadline = clock_.Now() + kLimit;
  thread_.Post([this, listing] {
    // Any key that a write would take; an empty one is no restriction.
    for (const std::string& key : {listing->prefix, listing->after_key}) {
      if (absl::Status bad = CheckStateKey(listing->bucket, key.empty() ? "-" : key); !bad.ok()) {
        std::move(listing->done)(bad);
        return Leave();
      }
    }
    buckets_.Use(listing->bucket, [this, listing](const absl::Status& ready) {
      if (!ready.ok()) {
        std::move(listing->done)(ready);
        return Leave();
      }
      AfterWritesIn(listing->bucket, [this, listing] { ListSubjects(listing); });
    });
  });
}

void JetStreamStateStore::ListSubjects(const std::shared_ptr<Listing>& listing) {
  const std::string base = absl::StrCat(buckets_.SubjectOf(listing->bucket), ".");
  const boost::json::object question = {
      {"subjects_filter", absl::StrCat(base, StateWildcardOfPrefix(listing->prefix))},
      {"offset", listing->subjects_seen},
  };
  api_.Call(absl::StrCat("STREAM.INFO.", buckets_.StreamOf(listing->bucket)), question, kTryTimeout,
            [this, listing, base](absl::StatusOr<boost::json::object> answer) {
              thread_.Post([this, listing, base, answer = std::move(answer)] {
                if (!answer.ok()) {
                  if (IsTransient(answer.status()) && clock_.Now() < listing->deadline) {
                    return Later([this, listing] { ListSubjects(listing); });
                  }
                  std::move(listing->done)(InSeamWords(answer.status()));
                  return Leave();
                }
                size_t on_page = 0;
                const boost::json::value* const state = answer->if_contains("state");
                const boost::json::value* const subjects =
                    state == nullptr || !state->is_object() ? nullptr : state->get_object().if_contains("subjects");
                if (subjects != nullptr && subjects->is_object()) {
                  for (const auto& [subject, count] : subjects->get_object()) {
                    ++on_page;
                    std::string key =
                        KeyOfStateSubject(absl::string_view(subject.data(), subject.size()).substr(base.size()));
                    if (!absl::StartsWith(key, listing->prefix) || key <= listing->after_key) continue;
                    listing->keys.push_back(std::move(key));
                  }
                }
                listing->subjects_seen += on_page;
                const boost::json::value* const total = answer->if_contains("total");
                const bool more = on_page > 0 && total != nullptr && total->is_int64() &&
                                  static_cast<size_t>(total->get_int64()) > listing->subjects_seen;
                if (more) return ListSubjects(listing);
                std::sort(listing->keys.begin(), listing->keys.end());
                ListValues(listing);
              });
            });
}

void JetStreamStateStore::ListValues(const std::shared_ptr<Listing>& listing) {
  const size_t wanted = listing->limit - listing->entries.size();
  const size_t count = std::min({wanted, listing->keys.size() - listing->next_key, kListWindow});
  if (count == 0) {
    std::move(listing->done)(std::move(listing->entries));
    return Leave();
  }
  struct Window {
    std::vector<absl::StatusOr<Current>> values;
    size_t open;
  };
  auto window = std::make_shared<Window>();
  window->values.resize(count);
  window->open = count;
  const size_t first = listing->next_key;
  listing->next_key += count;
  for (size_t i = 0; i < count; ++i) {
    const std::string subject =
        absl::StrCat(buckets_.SubjectOf(listing->bucket), ".", StateSubjectOfKey(listing->keys[first + i]));
    ReadCurrent(listing->bucket, subject, listing->deadline,
                [this, listing, window, first, i](absl::StatusOr<Current> current) {
                  window->values[i] = std::move(current);
                  if (--window->open > 0) return;
                  const absl::Time now = clock_.Now();
                  for (size_t k = 0; k < window->values.size(); ++k) {
                    absl::StatusOr<Current>& value = window->values[k];
                    if (!value.ok()) {
                      std::move(listing->done)(value.status());
                      return Leave();
                    }
                    if (!value->known.Exists(now)) continue;
                    listing->entries.push_back({listing->keys[first + k], std::move(value->value),
                                                value->known.revision, value->known.expires});
                  }
                  ListValues(listing);
                });
  }
}

void JetStreamStateStore::Tick() {
  std::vector<absl::AnyInvocable<void() &&>> again;
  again.swap(later_);
  for (auto& task : again) std::move(task)();
}

void JetStreamStateStore::Drain() {
  closed_ = true;
  while (open_ > 0) {
    requests_.Tick();  // the clock may have been stopped
    thread_.Post([this] { Tick(); });
    absl::SleepFor(kDrainStep);
  }
}

}  // namespace aulm::gateway
