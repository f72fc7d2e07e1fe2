#include "service/storage/jetstream/log_follower.h"

#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "service/base/log.h"
#include "xxhash.h"

namespace aulm::gateway {
namespace {

constexpr absl::Duration kAskTimeout = absl::Seconds(2);
constexpr absl::Duration kBetweenTries = absl::Milliseconds(250);
constexpr absl::Duration kHeartbeat = absl::Seconds(1);
// Three heartbeats and a bit.
constexpr absl::Duration kSilence = absl::Milliseconds(3500);
// The server forgets a consumer that nobody listens to.
constexpr absl::Duration kForgotten = absl::Seconds(30);
// A new leader may be behind for a moment; what is missing for longer is gone.
constexpr absl::Duration kSuspicion = absl::Seconds(15);

// What "$JS.ACK.<stream>.<consumer>.<tries>.<sequence>.<delivery>.<nanoseconds>.<pending>" says; newer servers put the
// domain and the account's hash before the stream, and a token behind.
struct Delivery {
  uint64_t sequence = 0;
  uint64_t number = 0;
  int64_t nanoseconds = 0;
};

bool ParseDelivery(absl::string_view reply, Delivery& delivery) {
  const std::vector<absl::string_view> tokens = absl::StrSplit(reply, '.');
  if (tokens.size() < 9 || tokens[0] != "$JS" || tokens[1] != "ACK") return false;
  const size_t shift = tokens.size() == 9 ? 0 : 2;
  return tokens.size() > 7 + shift && absl::SimpleAtoi(tokens[5 + shift], &delivery.sequence) &&
         absl::SimpleAtoi(tokens[6 + shift], &delivery.number) &&
         absl::SimpleAtoi(tokens[7 + shift], &delivery.nanoseconds);
}

// Not "HashOf": an std::string argument would find absl::HashOf, which differs from process to process.
uint64_t EventHash(absl::Time time, absl::string_view data) {
  return XXH3_64bits_withSeed(data.data(), data.size(), static_cast<uint64_t>(absl::ToUnixMillis(time)));
}

}  // namespace

LogFollower::LogFollower(NatsConnection& connection, JetStreamApi& api, const Clock& clock, StreamDefinition spec,
                         const StreamInfo& info, size_t cache_bytes, Listeners listeners)
    : connection_(connection),
      api_(api),
      clock_(clock),
      spec_(std::move(spec)),
      created_(info.created),
      listeners_(std::move(listeners)),
      not_before_(absl::InfinitePast()),
      recent_(info.last, cache_bytes),
      last_heard_(clock.Now()) {}

void LogFollower::Stop() {
  ++round_;
  lost_ = true;
  if (!consumer_.empty() && connection_.connected()) {
    connection_.Publish(absl::StrCat("$JS.API.CONSUMER.DELETE.", spec_.name, ".", consumer_), "", {}, "").IgnoreError();
  }
  subscription_.reset();
}

void LogFollower::Start() {
  connection_.loop().Post([this] { Look(); });
}

uint64_t LogFollower::head() const {
  absl::MutexLock lock(&mutex_);
  return recent_.head();
}

uint64_t LogFollower::start() const {
  absl::MutexLock lock(&mutex_);
  return recent_.start();
}

FetchedEvents LogFollower::After(uint64_t after, size_t max_events, uint64_t& start, uint64_t& head) const {
  absl::MutexLock lock(&mutex_);
  start = recent_.start();
  head = recent_.head();
  if (after < start) return {};
  return recent_.After(after, max_events);
}

void LogFollower::Tick() {
  if (lost_) return;
  bool silent;
  {
    absl::MutexLock lock(&mutex_);
    silent = gap_ || clock_.Now() - last_heard_ > kSilence;
  }
  if (step_ == Step::kFollowing && silent) return Restart("its consumer is silent or has missed events");
  if (step_ == Step::kIdle && clock_.Now() >= not_before_ && connection_.connected()) Look();
}

void LogFollower::Restart(absl::string_view why) {
  if (lost_) return;
  ++round_;
  Fail(absl::UnavailableError(absl::StrCat("the event log is not followed: ", why)));
  not_before_ = absl::InfinitePast();
  Tick();
}

void LogFollower::Ask(const std::string& verb, const boost::json::object& question,
                      std::function<void(const absl::StatusOr<boost::json::object>&)> then) {
  api_.Call(verb, question, kAskTimeout,
            [this, round = round_, then = std::move(then)](absl::StatusOr<boost::json::object> answer) mutable {
              connection_.loop().Post([this, round, then = std::move(then), answer = std::move(answer)] {
                if (round == round_) then(answer);
              });
            });
}

void LogFollower::Look() {
  step_ = Step::kLooking;
  ++round_;
  Ask(absl::StrCat("STREAM.INFO.", spec_.name), {}, [this](const absl::StatusOr<boost::json::object>& answer) {
    if (answer.ok()) return OnInfo(ParseStreamInfo(*answer));
    if (absl::IsNotFound(answer.status()) && !IsTransient(answer.status())) {
      return Suspect(absl::NotFoundError("it was deleted"));
    }
    Fail(answer.status());
  });
}

void LogFollower::OnInfo(const StreamInfo& info) {
  if (info.created != created_) return Suspect(absl::DataLossError("it was deleted and made anew"));
  const uint64_t seen = head();
  if (info.last < seen) {
    return Suspect(absl::DataLossError(
        absl::StrCat("it lost its newest events: it ends at ", info.last, ", and had been read up to ", seen)));
  }
  listeners_.on_info(info);
  if (seen == 0 || seen < info.first) return Create();
  Compare();
}

void LogFollower::Compare() {
  step_ = Step::kComparing;
  Ask(absl::StrCat("STREAM.MSG.GET.", spec_.name), {{"seq", head()}},
      [this](const absl::StatusOr<boost::json::object>& answer) {
        if (!answer.ok() && !absl::IsNotFound(answer.status())) return Fail(answer.status());
        if (IsTransient(answer.status())) return Fail(answer.status());
        // Retention may have come in between, or somebody deletes single events: there is nothing to compare.
        if (!answer.ok()) return Create();
        const absl::StatusOr<StoredMessage> message = ParseStoredMessage(*answer);
        if (!message.ok()) return Fail(message.status());
        OnHeadMessage(*message);
      });
}

void LogFollower::OnHeadMessage(const StoredMessage& message) {
  const uint64_t hash = EventHash(message.time, message.data);
  uint64_t expected = hash;
  {
    absl::MutexLock lock(&mutex_);
    const std::shared_ptr<const FetchedEvent> newest = recent_.newest();
    if (newest != nullptr && newest->event.sequence == message.sequence) {
      expected = EventHash(newest->stored, newest->message.data());
    } else if (known_sequence_ == message.sequence) {
      expected = known_hash_;
    }
  }
  if (hash != expected) return Suspect(absl::DataLossError("another event stands where the newest one was"));
  known_sequence_ = message.sequence;
  known_hash_ = hash;
  Create();
}

void LogFollower::Create() {
  step_ = Step::kCreating;
  uint64_t generation, next;
  {
    absl::MutexLock lock(&mutex_);
    generation = ++generation_;
    next_delivery_ = 1;
    gap_ = false;
    last_heard_ = clock_.Now();
    next = recent_.head() + 1;
  }
  if (!consumer_.empty()) {
    connection_.Publish(absl::StrCat("$JS.API.CONSUMER.DELETE.", spec_.name, ".", consumer_), "", {}, "").IgnoreError();
    consumer_.clear();
  }
  // A subscription for each consumer: their messages come with the subject that they were stored under.
  const std::string inbox = NatsConnection::NewInbox();
  auto subscription = connection_.SubscribeOnLoop(
      inbox, {[this, generation](NatsMessage message) { OnMessage(generation, std::move(message)); }, [] {}});
  if (!subscription.ok()) return Fail(subscription.status());
  subscription_ = *std::move(subscription);
  const boost::json::object config = {
      {"deliver_subject", inbox},
      {"deliver_policy", "by_start_sequence"},
      {"opt_start_seq", next},
      {"ack_policy", "none"},
      {"max_deliver", 1},
      {"replay_policy", "instant"},
      {"idle_heartbeat", absl::ToInt64Nanoseconds(kHeartbeat)},
      {"flow_control", true},
      {"inactive_threshold", absl::ToInt64Nanoseconds(kForgotten)},
      {"num_replicas", 1},
      {"mem_storage", true},
  };
  Ask(absl::StrCat("CONSUMER.CREATE.", spec_.name), {{"stream_name", spec_.name}, {"config", config}},
      [this](const absl::StatusOr<boost::json::object>& answer) {
        if (!answer.ok()) return Fail(answer.status());
        const boost::json::value* const name = answer->if_contains("name");
        if (name != nullptr && name->is_string()) consumer_ = std::string(name->get_string());
        step_ = Step::kFollowing;
        suspect_since_ = absl::InfiniteFuture();
        listeners_.on_state(absl::OkStatus());
      });
}

void LogFollower::Fail(const absl::Status& why) {
  if (step_ == Step::kFollowing) {
    LogLine(LogLevel::kWarn, "log_not_followed").Field("message", why.message());
  }
  step_ = Step::kIdle;
  not_before_ = clock_.Now() + kBetweenTries;
  listeners_.on_state(why);
}

void LogFollower::Suspect(const absl::Status& what) {
  const absl::Time now = clock_.Now();
  if (suspect_since_ == absl::InfiniteFuture()) suspect_since_ = now;
  const absl::Status status(what.code(), absl::StrCat("the NATS stream ", spec_.name, ": ", what.message()));
  Fail(status);
  if (now - suspect_since_ < kSuspicion) return;
  lost_ = true;
  listeners_.on_lost(status);
}

void LogFollower::OnMessage(uint64_t generation, NatsMessage message) {
  {
    absl::MutexLock lock(&mutex_);
    if (generation != generation_ || gap_) return;
    last_heard_ = clock_.Now();
    Delivery delivery;
    if (!ParseDelivery(message.reply(), delivery)) return OnSignal(message);
    if (delivery.number != next_delivery_ || delivery.sequence <= recent_.head()) {
      gap_ = true;
      return;
    }
    ++next_delivery_;
    recent_.Add(std::make_shared<const FetchedEvent>(delivery.sequence, absl::FromUnixNanos(delivery.nanoseconds),
                                                     std::move(message)));
  }
  listeners_.on_head();
}

void LogFollower::OnSignal(const NatsMessage& message) {
  // A heartbeat or a question of the flow control, which wants an answer once everything before it was taken.
  uint64_t last = 0;
  if (absl::SimpleAtoi(message.Header("Nats-Last-Consumer"), &last) && last + 1 != next_delivery_) gap_ = true;
  const absl::string_view stalled = message.Header("Nats-Consumer-Stalled");
  const std::string answer_to(message.reply().empty() ? stalled : message.reply());
  if (!answer_to.empty()) connection_.Publish(answer_to, "", {}, "").IgnoreError();
}

}  // namespace aulm::gateway
