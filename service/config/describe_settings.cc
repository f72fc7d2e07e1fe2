#include "service/config/describe_settings.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "service/config/json_duration.h"
#include "service/config/log_level_names.h"

namespace aulm::gateway {
namespace {

namespace json = boost::json;

constexpr absl::string_view kSet = "(set)";

json::string ToJson(absl::string_view text) { return json::string(text.data(), text.size()); }
json::string ToJson(absl::Duration duration) { return ToJson(ToJsonDuration(duration)); }

void AppendIndented(const json::value& value, std::string& text, const std::string& indent) {
  const std::string inner = indent + "  ";
  if (value.is_object() && !value.get_object().empty()) {
    absl::string_view separator = "{\n";
    for (const json::key_value_pair& member : value.get_object()) {
      absl::StrAppend(&text, separator, inner, json::serialize(json::string(member.key())), ": ");
      AppendIndented(member.value(), text, inner);
      separator = ",\n";
    }
    absl::StrAppend(&text, "\n", indent, "}");
  } else if (value.is_array() && !value.get_array().empty()) {
    absl::string_view separator = "[\n";
    for (const json::value& element : value.get_array()) {
      absl::StrAppend(&text, separator, inner);
      AppendIndented(element, text, inner);
      separator = ",\n";
    }
    absl::StrAppend(&text, "\n", indent, "]");
  } else if (value.is_double()) {
    absl::StrAppend(&text, value.get_double());  // 0.2, where serialize writes 2E-1
  } else {
    text += json::serialize(value);
  }
}

json::object DescribeListener(const ListenAddress& address, const std::optional<TlsSettings>& tls) {
  json::object described;
  described["address"] = ToJson(ToString(address));
  if (tls.has_value()) {
    json::object files = {{"certificate_file", ToJson(tls->certificate_file)}, {"key_file", ToJson(tls->key_file)}};
    if (!tls->client_ca_file.empty()) files["client_ca_file"] = ToJson(tls->client_ca_file);
    described["tls"] = std::move(files);
  }
  return described;
}

json::object DescribeGrpc(const GrpcListenerSettings& settings) {
  json::object described = DescribeListener(settings.address, settings.tls);
  described["callers_optional"] = settings.callers_optional;
  if (settings.trusted_identity_header.has_value()) {
    json::array from;
    for (const AddressRange& range : settings.trusted_identity_header->from) from.push_back(ToJson(range.ToString()));
    described["trusted_identity_header"] = {{"name", ToJson(HeaderName(settings.trusted_identity_header->header))},
                                            {"from_addresses", std::move(from)}};
  }
  described["reflection"] = settings.reflection;
  described["channelz"] = settings.channelz;
  return described;
}

json::object DescribeAdmin(const AdminListenerSettings& settings) {
  json::object described = DescribeListener(settings.address, settings.tls);
  if (!settings.token_sha256_file.empty()) described["token_sha256_file"] = ToJson(settings.token_sha256_file);
  return described;
}

json::array DescribeList(const AllowList& list) {
  json::array described;
  if (list.all) described.push_back(ToJson("*"));
  for (const std::string& name : absl::btree_set<std::string>(list.names.begin(), list.names.end())) {
    described.push_back(ToJson(name));
  }
  return described;
}

json::object DescribeCaller(const CallerSettings& caller) {
  json::object described = {{"name", ToJson(caller.name)}};
  if (!caller.token_sha256_file.empty()) described["token_sha256_file"] = ToJson(caller.token_sha256_file);
  if (!caller.spiffe_id.empty()) described["spiffe_id"] = ToJson(caller.spiffe_id);
  if (!caller.dns_name.empty()) described["dns_name"] = ToJson(caller.dns_name);
  described["methods"] = DescribeList(caller.methods);
  described["accounts"] = DescribeList(caller.accounts);
  described["session_ids"] = DescribeList(caller.session_ids);
  described["max_streams"] = caller.max_streams;
  described["max_subscriptions"] = caller.max_subscriptions;
  described["sends_per_second"] = caller.sends_per_second;
  return described;
}

json::object DescribeAccount(const AccountSettings& account) {
  json::object described;
  described["name"] = ToJson(account.name);
  described["base_url"] = ToJson(account.base_url);
  if (account.api_key.file.empty()) {
    described["api_key"] = ToJson(kSet);
  } else {
    described["api_key_file"] = ToJson(account.api_key.file);
  }
  json::array files;
  for (const SecretSource& source : account.webhook_secrets) {
    if (source.file.empty()) {
      described["webhook_secret"] = ToJson(kSet);
    } else {
      files.push_back(ToJson(source.file));
    }
  }
  if (!files.empty()) described["webhook_secret_files"] = std::move(files);
  described["on_signature_mismatch"] =
      account.on_signature_mismatch == OnSignatureMismatch::kRetry ? "RETRY" : "REJECT";
  json::array ids;
  for (const std::string& id : account.session_ids) ids.push_back(ToJson(id));
  described["session_ids"] = std::move(ids);
  described["session_poll_interval"] = ToJson(account.session_poll_interval);
  described["suspect_after"] = ToJson(account.suspect_after);
  return described;
}

json::object DescribeLimits(const LimitSettings& limits) {
  return {{"max_image_bytes", limits.max_image_bytes},
          {"webhook_body_bytes", limits.webhook_body_bytes},
          {"webhook_connections", limits.webhook_connections},
          {"webhook_connections_per_address", limits.webhook_connections_per_address},
          {"webhooks_in_flight", limits.webhooks_in_flight},
          {"max_in_flight_sends", limits.max_in_flight_sends},
          {"subscriptions", limits.subscriptions},
          {"streams", limits.streams},
          {"stream_max_age", ToJson(limits.stream_max_age)},
          {"stream_stall", ToJson(limits.stream_stall)},
          {"ring_bytes", limits.ring_bytes},
          {"send_settle", ToJson(limits.send_settle)},
          {"default_deadline", ToJson(limits.default_deadline)},
          {"drain_delay", ToJson(limits.drain_delay)},
          {"grpc_memory_bytes", limits.grpc_memory_bytes},
          {"grpc_threads", limits.grpc_threads},
          {"calls_per_connection", limits.calls_per_connection},
          {"header_list_bytes", limits.header_list_bytes},
          {"keepalive_interval", ToJson(limits.keepalive_interval)},
          {"keepalive_timeout", ToJson(limits.keepalive_timeout)},
          {"min_ping_interval", ToJson(limits.min_ping_interval)}};
}

json::object DescribeSends(const SendSettings& sends) {
  return {{"request_id_retention", ToJson(sends.request_id_retention)},
          {"refuse_when_quota_used_up", sends.refuse_when_quota_used_up}};
}

// What stands between the scheme and an @ is a user and a password.
std::string WithoutPassword(absl::string_view url) {
  if (absl::StartsWith(url, "sqlite://")) return std::string(url);
  std::vector<std::string> servers;
  for (const absl::string_view server : absl::StrSplit(url, ',')) {
    const size_t at = server.rfind('@');
    const size_t scheme = server.find("://");
    const size_t begin = scheme == absl::string_view::npos ? 0 : scheme + 3;
    servers.push_back(at == absl::string_view::npos ? std::string(server)
                                                    : absl::StrCat(server.substr(0, begin), "***", server.substr(at)));
  }
  return absl::StrJoin(servers, ",");
}

json::object DescribeNats(const NatsSettings& nats) {
  json::object described = {{"prefix", ToJson(nats.prefix)}, {"replicas", nats.replicas}, {"synced", nats.synced}};
  if (!nats.credentials_file.empty()) described["credentials_file"] = ToJson(nats.credentials_file);
  if (!nats.tls) return described;
  json::object tls;
  if (!nats.ca_file.empty()) tls["ca_file"] = ToJson(nats.ca_file);
  if (!nats.certificate_file.empty()) tls["certificate_file"] = ToJson(nats.certificate_file);
  if (!nats.key_file.empty()) tls["key_file"] = ToJson(nats.key_file);
  described["tls"] = std::move(tls);
  return described;
}

json::object DescribePace(const Pace& pace) {
  return {{"off", pace.off},
          {"interval", ToJson(pace.interval)},
          {"jitter", pace.jitter},
          {"burst", pace.burst},
          {"reply_interval", ToJson(pace.reply_interval)},
          {"reply_window", ToJson(pace.reply_window)},
          {"max_wait", ToJson(pace.max_wait)},
          {"daily_limit", pace.daily_limit},
          {"warm_up",
           {{"days", pace.warm_up.days},
            {"first_day_limit", pace.warm_up.first_day_limit},
            {"last_day_limit", pace.warm_up.last_day_limit}}}};
}

json::object DescribePaces(const Paces& paces) {
  json::object described = DescribePace(paces.general);
  json::array sessions;
  for (const auto& [session_id, pace] :
       absl::btree_map<std::string, Pace>(paces.by_session.begin(), paces.by_session.end())) {
    json::object session = DescribePace(pace);
    session["session_id"] = ToJson(session_id);
    if (pace.active_since.has_value()) session["active_since"] = ToJson(absl::FormatCivilTime(*pace.active_since));
    sessions.push_back(std::move(session));
  }
  described["sessions"] = std::move(sessions);
  return described;
}

}  // namespace

std::string DescribeSettings(const Settings& settings) {
  json::array callers;
  for (const CallerSettings& caller : settings.callers) callers.push_back(DescribeCaller(caller));
  json::array accounts;
  for (const AccountSettings& account : settings.accounts) accounts.push_back(DescribeAccount(account));

  json::object described;
  described["listeners"] = {{"grpc", DescribeGrpc(settings.grpc)},
                            {"webhook", DescribeListener(settings.webhook.address, settings.webhook.tls)},
                            {"admin", DescribeAdmin(settings.admin)}};
  described["store"] = {{"url", ToJson(WithoutPassword(settings.store.url))},
                        {"nats", DescribeNats(settings.store.nats)},
                        {"retention", ToJson(settings.store.retention)},
                        {"max_bytes", settings.store.max_bytes},
                        {"dedupe_retention", ToJson(settings.store.dedupe_retention)}};
  described["accounts"] = std::move(accounts);
  described["callers"] = std::move(callers);
  described["limits"] = DescribeLimits(settings.limits);
  described["sends"] = DescribeSends(settings.sends);
  described["pacing"] = DescribePaces(settings.paces);
  described["log"] = {{"level", ToJson(LogLevelName(settings.log_level))}};

  std::string text;
  AppendIndented(described, text, "");
  return text;
}

}  // namespace aulm::gateway
