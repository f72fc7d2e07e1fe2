#include "service/messaging/quotas.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "aulm/gateway/state/v1/quota_record.pb.h"
#include "aulm/gateway/v1/rate_limit.pb.h"
#include "google/protobuf/util/time_util.h"
#include "service/base/status_details.h"
#include "service/base/utc_text.h"

namespace aulm::gateway {
namespace {

namespace stored = aulm::gateway::state::v1;
using google::protobuf::util::TimeUtil;

constexpr char kBucket[] = "quotas";

v1::RateLimit ToProto(const RateLimit& limit) {
  v1::RateLimit message;
  message.set_limit(limit.limit);
  message.set_remaining(limit.remaining);
  if (limit.reset.has_value()) {
    *message.mutable_reset_time() = TimeUtil::MillisecondsToTimestamp(absl::ToUnixMillis(*limit.reset));
  }
  return message;
}

RateLimit FromProto(const v1::RateLimit& message) {
  RateLimit limit{message.limit(), message.remaining(), std::nullopt};
  if (message.has_reset_time()) {
    limit.reset = absl::FromUnixMillis(TimeUtil::TimestampToMilliseconds(message.reset_time()));
  }
  return limit;
}

std::optional<RateLimit> LimitOf(const absl::StatusOr<SendResult>& result) {
  if (result.ok()) return result->rate_limit;
  v1::RateLimit detail;
  if (!ReadDetail(result.status(), detail)) return std::nullopt;
  return FromProto(detail);
}

std::optional<Quotas::Seen> Parse(const absl::StatusOr<std::optional<StateEntry>>& entry) {
  if (!entry.ok()) return std::nullopt;
  const std::optional<StateEntry>& found = *entry;
  stored::QuotaRecord record;
  if (!found.has_value() || !record.ParseFromString(found->value)) return std::nullopt;
  return Quotas::Seen{FromProto(record.rate_limit()), absl::FromUnixMillis(record.observed_ms())};
}

prometheus::Family<prometheus::Gauge>& Gauges(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(registry);
}

}  // namespace

std::shared_ptr<Quotas> Quotas::Create(Options options, StateStore& store, Clock& clock,
                                       prometheus::Registry& registry) {
  return std::shared_ptr<Quotas>(new Quotas(options, store, clock, registry));
}

Quotas::Quotas(Options options, StateStore& store, Clock& clock, prometheus::Registry& registry)
    : options_(options),
      store_(store),
      clock_(clock),
      limit_(Gauges(registry, "aulm_quota_limit", "Messages that the account's plan allows in its window.")),
      remaining_(Gauges(registry, "aulm_quota_remaining", "Messages left in the window, as aulm last told.")),
      reset_(Gauges(registry, "aulm_quota_reset_timestamp_seconds", "When the window starts anew, in Unix time.")) {}

void Quotas::Load(absl::string_view account) {
  store_.Get(kBucket, std::string(account),
             [self = shared_from_this(),
              account = std::string(account)](const absl::StatusOr<std::optional<StateEntry>>& entry) {
               if (const auto seen = Parse(entry); seen.has_value()) self->Take(account, *seen);
             });
}

void Quotas::Note(absl::string_view account, const absl::StatusOr<SendResult>& result) {
  const std::optional<RateLimit> limit = LimitOf(result);
  if (!limit.has_value()) return;
  const std::string name(account);
  if (Take(name, {*limit, clock_.Now()})) Store(name);
}

bool Quotas::Take(const std::string& account, const Seen& seen) {
  absl::MutexLock lock(&mutex_);
  const auto [entry, is_new] = accounts_.try_emplace(account);
  Account& place = entry->second;
  if (!is_new && place.seen.observed > seen.observed) return false;
  place.seen = seen;
  if (place.limit == nullptr) {
    place.limit = &limit_.Add({{"account", account}});
    place.remaining = &remaining_.Add({{"account", account}});
  }
  place.limit->Set(static_cast<double>(seen.limit.limit));
  place.remaining->Set(static_cast<double>(seen.limit.remaining));
  if (!seen.limit.reset.has_value()) return true;
  if (place.reset == nullptr) place.reset = &reset_.Add({{"account", account}});
  place.reset->Set(static_cast<double>(absl::ToUnixSeconds(*seen.limit.reset)));
  return true;
}

void Quotas::Store(const std::string& account) {
  const absl::Time now = clock_.Now();
  stored::QuotaRecord record;
  {
    absl::MutexLock lock(&mutex_);
    Account& place = accounts_[account];
    if (place.timer_set) return;
    if (const absl::Duration rest = place.written + options_.between_writes - now; rest > absl::ZeroDuration()) {
      place.timer_set = true;
      clock_.CallAfter(rest, [weak = weak_from_this(), account] {
        const auto self = weak.lock();
        if (self == nullptr) return;
        {
          absl::MutexLock relock(&self->mutex_);
          self->accounts_[account].timer_set = false;
        }
        self->Store(account);
      });
      return;
    }
    place.written = now;
    *record.mutable_rate_limit() = ToProto(place.seen.limit);
    record.set_observed_ms(absl::ToUnixMillis(place.seen.observed));
  }
  std::vector<StateWrite> writes;
  writes.push_back({kBucket, account, record.SerializeAsString(), std::nullopt});
  store_.Write(std::move(writes), StateStore::Durability::kRelaxed, nullptr);
}

std::optional<Quotas::Seen> Quotas::Known(absl::string_view account) const {
  absl::MutexLock lock(&mutex_);
  const auto place = accounts_.find(account);
  if (place == accounts_.end()) return std::nullopt;
  return place->second.seen;
}

absl::Status Quotas::Check(absl::string_view account) const {
  if (!options_.refuse_when_used_up) return absl::OkStatus();
  const std::optional<Seen> seen = Known(account);
  const absl::Time now = clock_.Now();
  if (!seen.has_value() || seen->limit.remaining > 0) return absl::OkStatus();
  const absl::Time reset = seen->limit.reset.value_or(now);
  if (reset <= now) return absl::OkStatus();
  const std::string subject = absl::StrCat("account:", account);
  const std::string until = UtcSeconds(reset);
  absl::Status status = GatewayError(
      GatewayReason::kQuotaUsedUp,
      absl::StrCat("the quota of account \"", account, "\" is used up until ", until,
                   "; aulm was not asked. Wait, or after an upgrade of the plan restart the gateway without "
                   "sends.refuse_when_quota_used_up"));
  SetOutcome(status, Outcome::kNotSent);
  SetQuotaFailure(status, subject, absl::StrCat("all of ", seen->limit.limit, " messages are used up until ", until));
  SetRetryDelay(status, reset - now);
  SetDetail(status, ToProto(seen->limit));
  return status;
}

void Quotas::Get(absl::string_view account, absl::AnyInvocable<void(absl::StatusOr<std::optional<Seen>>) &&> done) {
  store_.Get(kBucket, std::string(account),
             [self = shared_from_this(), account = std::string(account),
              done = std::move(done)](const absl::StatusOr<std::optional<StateEntry>>& entry) mutable {
               // Another replica may have heard of it later.
               if (const auto seen = Parse(entry); seen.has_value()) self->Take(account, *seen);
               std::optional<Seen> known = self->Known(account);
               if (!known.has_value() && !entry.ok()) {
                 return std::move(done)(
                     GatewayError(GatewayReason::kStoreUnavailable,
                                  absl::StrCat("the quota cannot be read: ", entry.status().message(), "; try again")));
               }
               std::move(done)(known);
             });
}

}  // namespace aulm::gateway
