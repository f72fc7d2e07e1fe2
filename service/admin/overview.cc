#include "service/admin/overview.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <tuple>

#include "absl/container/btree_map.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/util/time_util.h"
#include "service/admin/build_info.h"
#include "service/admin/json_text.h"
#include "service/admin/metric_values.h"
#include "service/base/version.h"
#include "service/base/vocabulary.h"

namespace aulm::gateway {
namespace {

namespace json = boost::json;
using google::protobuf::util::TimeUtil;

constexpr size_t kMostEntries = 200;

json::string Text(absl::string_view text) { return JsonText(text); }

absl::string_view StateName(v1::SessionState state) {
  switch (state) {
    case v1::SESSION_STATE_CONNECTED:
      return "connected";
    case v1::SESSION_STATE_DISCONNECTED:
      return "disconnected";
    case v1::SESSION_STATE_AWAITING_SCAN:
      return "awaiting_scan";
    default:
      return "other";
  }
}

json::object DescribeChecks(const Readiness& readiness) {
  json::array checks;
  for (const Readiness::Check& check : readiness.Checks()) {
    checks.push_back({{"name", Text(check.name)}, {"reason", Text(check.reason)}});
  }
  return {{"ready", readiness.IsReady()}, {"checks", std::move(checks)}};
}

json::array DescribeSessions(const OverviewSources& sources) {
  absl::btree_map<std::pair<std::string, std::string>, json::object> all;
  for (const auto& [account, id] : sources.listed_sessions) {
    all[{account, id}] = {{"account", Text(account)}, {"id", Text(id)}, {"state", "unwatched"}};
  }
  for (const SessionWatch::State& state : sources.sessions.States()) {
    json::object& session = all[{state.account, state.session_id}];
    session = {{"account", Text(state.account)},
               {"id", Text(state.session_id)},
               {"state", Text(state.aulm_state.empty() ? "unread" : StateName(SessionStateOf(state.aulm_state)))},
               {"word", Text(state.aulm_state)},
               {"suspect", state.suspect},
               {"failing", Text(state.failing_because)}};
    if (state.observed.has_value()) session["observed"] = absl::ToUnixMillis(*state.observed);
  }
  json::array sessions;
  for (auto& [key, session] : all) {
    if (sessions.size() < kMostEntries) sessions.push_back(std::move(session));
  }
  return sessions;
}

json::array DescribeQuotas(const MetricValues& metrics) {
  absl::btree_map<std::string, json::object> all;
  const auto take = [&](absl::string_view family, absl::string_view field) {
    for (const prometheus::ClientMetric& series : metrics.Series(family)) {
      json::object& quota = all[std::string(LabelOf(series, "account"))];
      quota[Text(field)] = series.gauge.value;
    }
  };
  take("aulm_quota_limit", "limit");
  take("aulm_quota_remaining", "remaining");
  take("aulm_quota_reset_timestamp_seconds", "reset");
  json::array quotas;
  for (auto& [account, quota] : all) {
    quota["account"] = Text(account);
    quotas.push_back(std::move(quota));
  }
  return quotas;
}

// Those on which most sends wait come first.
json::object DescribePacing(const OverviewSources& sources) {
  std::vector<Pacer::Lane> lanes = sources.pacer.Lanes(kMostEntries);
  std::sort(lanes.begin(), lanes.end(), [](const Pacer::Lane& a, const Pacer::Lane& b) {
    return std::tie(b.waiting, a.account, a.session_id, a.replies) <
           std::tie(a.waiting, b.account, b.session_id, b.replies);
  });
  json::array list;
  for (const Pacer::Lane& lane : lanes) {
    list.push_back({{"account", Text(lane.account)},
                    {"session", Text(lane.session_id)},
                    {"lane", lane.replies ? "replies" : "cold"},
                    {"waiting", lane.waiting},
                    {"next", absl::ToUnixMillis(lane.next_slot)},
                    {"sent_today", lane.sent_today},
                    {"limit_today", lane.limit_today}});
  }
  return {{"waiting", sources.pacer.waiting()}, {"lanes", std::move(list)}};
}

json::object DescribeStreams(const EventStreams& streams) {
  std::vector<EventStreams::Look> looks = streams.LookAtAll();
  std::sort(looks.begin(), looks.end(), [](const EventStreams::Look& a, const EventStreams::Look& b) {
    return std::tie(b.lag_events, a.id) < std::tie(a.lag_events, b.id);
  });
  uint64_t lag = looks.empty() ? 0 : looks.front().lag_events;
  json::array list;
  for (const EventStreams::Look& look : looks) {
    if (list.size() == kMostEntries / 4) break;
    list.push_back({{"id", Text(look.id)},
                    {"lag", look.lag_events},
                    {"events", look.totals.events},
                    {"bytes", look.totals.bytes}});
  }
  return {{"count", looks.size()}, {"lag", lag}, {"list", std::move(list)}};
}

json::object DescribeSubscriptions(const KnownSubscriptions& known) {
  if (known == nullptr) return {{"pending", true}, {"list", json::array()}};
  const absl::StatusOr<v1::ListSubscriptionsResponse>& response = *known;
  if (!response.ok()) return {{"failure", Text(response.status().message())}, {"list", json::array()}};
  json::array list;
  for (const v1::Subscription& subscription : response->subscriptions()) {
    const v1::SubscriptionStats& stats = subscription.stats();
    list.push_back({{"name", Text(subscription.name())},
                    {"mode", subscription.mode() == v1::SUBSCRIPTION_MODE_SHARED ? "shared" : "cursor"},
                    {"lag", stats.lag_events()},
                    {"lag_ms", TimeUtil::DurationToMilliseconds(stats.lag())},
                    {"outstanding", stats.outstanding_events()},
                    {"oldest_ms", TimeUtil::DurationToMilliseconds(stats.oldest_outstanding())},
                    {"parked", stats.parked_events()},
                    {"consumers", stats.consumers()}});
  }
  return {{"more", !response->next_page_token().empty()}, {"list", std::move(list)}};
}

json::object ByLabel(const MetricValues& metrics, absl::string_view family, absl::string_view label) {
  absl::btree_map<std::string, double> sums;
  for (const prometheus::ClientMetric& series : metrics.Series(family)) {
    sums[std::string(LabelOf(series, label))] += series.counter.value + series.gauge.value;
  }
  json::object by_label;
  for (const auto& [value, sum] : sums) {
    if (sum != 0) by_label[Text(value)] = sum;
  }
  return by_label;
}

// Answers to SendText and SendImage by their code.
json::object DescribeSends(const MetricValues& metrics) {
  json::object by_code;
  double all = 0;
  for (const prometheus::ClientMetric& series : metrics.Series("grpc_server_handled_total")) {
    const absl::string_view method = LabelOf(series, "grpc_method");
    if (series.counter.value == 0 || (method != "SendText" && method != "SendImage")) continue;
    all += series.counter.value;
    json::value& code = by_code[Text(LabelOf(series, "grpc_code"))];
    code = (code.is_double() ? code.get_double() : 0) + series.counter.value;
  }
  return {
      {"answered", all}, {"by_code", std::move(by_code)}, {"in_flight", metrics.Sum("aulm_gateway_sends_in_flight")}};
}

json::object DescribeStore(const MetricValues& metrics, const LogInfo& log) {
  return {{"events", metrics.Sum("aulm_log_events")},
          {"bytes", metrics.Sum("aulm_log_bytes")},
          {"oldest_age_s", metrics.Sum("aulm_log_oldest_age_seconds")},
          {"wal_bytes", metrics.Sum("aulm_store_wal_bytes")},
          {"commits", metrics.Sum("aulm_store_commit_seconds")},
          {"commit_s", metrics.Observed("aulm_store_commit_seconds")},
          {"appended", metrics.Sum("aulm_log_appended_total")},
          {"duplicates", metrics.Sum("aulm_log_duplicates_total")},
          {"queued", metrics.Sum("aulm_store_queued_appends")},
          {"refused", metrics.Sum("aulm_log_refused_total")},
          {"errors", ByLabel(metrics, "aulm_store_errors_total", "kind")},
          {"earliest", log.earliest},
          {"head", log.head}};
}

json::object DescribeAulm(const MetricValues& metrics) {
  return {{"calls", metrics.Sum("aulm_api_call_seconds")},
          {"call_s", metrics.Observed("aulm_api_call_seconds")},
          {"in_flight", metrics.Sum("aulm_api_calls_in_flight")},
          {"unreachable", ByLabel(metrics, "aulm_api_unreachable", "base_url")},
          {"by_reason", ByLabel(metrics, "aulm_api_calls_total", "reason")}};
}

}  // namespace

std::string WriteOverview(const OverviewSources& sources, const KnownSubscriptions& subscriptions,
                          const EventHistory& history) {
  const MetricValues metrics(sources.metrics);
  const LogInfo log = sources.hub.log().Info();
  static const auto* const kCommit = new std::string(GetBuildInfo().commit);
  json::object overview = {
      {"at", absl::ToUnixMillis(sources.clock.Now())},
      {"instance", Text(sources.instance)},
      {"version", Text(GatewayVersion())},
      {"commit", Text(*kCommit)},
      {"started", metrics.Sum("process_start_time_seconds") * 1000},
      {"memory", metrics.Sum("process_resident_memory_bytes")},
      {"cpu_s", metrics.Sum("process_cpu_seconds_total")},
      {"health", DescribeChecks(sources.readiness)},
      {"history", json::array(history.begin(), history.end())},
      {"sessions", DescribeSessions(sources)},
      {"quotas", DescribeQuotas(metrics)},
      {"pacing", DescribePacing(sources)},
      {"sends", DescribeSends(metrics)},
      {"streams", DescribeStreams(sources.streams)},
      {"subscriptions", DescribeSubscriptions(subscriptions)},
      {"webhooks", ByLabel(metrics, "aulm_webhooks_total", "outcome")},
      {"webhooks_in_flight", metrics.Sum("aulm_webhook_in_flight")},
      {"store", DescribeStore(metrics, log)},
      {"aulm", DescribeAulm(metrics)},
  };
  return json::serialize(overview);
}

}  // namespace aulm::gateway
