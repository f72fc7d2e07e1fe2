#include "service/storage/jetstream/stream_setup.h"

#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "boost/json/array.hpp"
#include "boost/json/serialize.hpp"

namespace aulm::gateway {
namespace {

namespace json = boost::json;

constexpr int kUsualReplicas = 3;

int64_t Unbounded(int64_t bound) { return bound == 0 ? -1 : bound; }

std::string Shown(const json::value& value) { return json::serialize(value); }

// How a person changes the stream so that it fits, where `nats stream edit` can.
std::string FlagOf(absl::string_view field) {
  if (field == "max_age") return "--max-age";
  if (field == "max_bytes") return "--max-bytes";
  if (field == "num_replicas") return "--replicas";
  if (field == "duplicate_window") return "--dupe-window";
  if (field == "allow_direct") return "--allow-direct";
  return "";
}

std::string Remedy(const StreamDefinition& spec, absl::string_view field) {
  std::vector<std::string> ways;
  if (const std::string flag = FlagOf(field); !flag.empty()) {
    ways.push_back(absl::StrCat("change the stream (nats stream edit ", spec.name, " ", flag, ")"));
  }
  if (field == "max_age" && !spec.max_age_setting.empty()) ways.push_back(absl::StrCat("set ", spec.max_age_setting));
  if (field == "max_bytes" && !spec.max_bytes_setting.empty()) {
    ways.push_back(absl::StrCat("set ", spec.max_bytes_setting));
  }
  if (field == "num_replicas") ways.emplace_back("set store.nats.replicas");
  if (ways.empty()) ways.emplace_back("choose another store.nats.prefix");
  return absl::StrJoin(ways, ", or ");
}

// The fields that are looked at when a stream is there already.
std::vector<absl::string_view> Checked(const StreamDefinition& spec) {
  std::vector<absl::string_view> fields = {
      "subjects",         "retention", "max_age", "max_bytes",  "max_msgs_per_subject",
      "duplicate_window", "discard",   "storage", "deny_delete"};
  if (spec.direct) fields.emplace_back("allow_direct");
  if (spec.replicas != 0) fields.emplace_back("num_replicas");
  return fields;
}

}  // namespace

json::object StreamConfig(const StreamDefinition& spec, int replicas) {
  json::object config = {
      {"name", spec.name},
      {"subjects", json::array{spec.subject}},
      {"retention", "limits"},
      {"storage", "file"},
      {"discard", "old"},
      {"num_replicas", replicas},
      {"max_consumers", -1},
      {"max_msgs", -1},
      {"max_msg_size", -1},
      {"max_bytes", Unbounded(spec.max_bytes)},
      {"max_age", absl::ToInt64Nanoseconds(spec.max_age)},
      {"max_msgs_per_subject", Unbounded(spec.max_per_subject)},
      {"duplicate_window", absl::ToInt64Nanoseconds(spec.duplicate_window)},
      {"allow_direct", spec.direct},
      {"deny_delete", spec.keep},
  };
  if (!spec.description.empty()) config["description"] = spec.description;
  return config;
}

absl::Status CheckStream(const StreamDefinition& spec, const json::object& config) {
  const json::object wanted = StreamConfig(spec, spec.replicas);
  std::vector<std::string> differences;
  for (const absl::string_view field : Checked(spec)) {
    const json::value& want = wanted.at({field.data(), field.size()});
    const json::value* have = config.if_contains({field.data(), field.size()});
    // Servers leave out what is false or nothing.
    const json::value nothing = want.is_bool() ? json::value(false) : json::value(0);
    if (have == nullptr) have = &nothing;
    const bool equal = want.is_number() && have->is_number() ? want.to_number<int64_t>() == have->to_number<int64_t>()
                                                             : Shown(want) == Shown(*have);
    if (equal) continue;
    differences.push_back(
        absl::StrCat("its ", field, " is ", Shown(*have), " and not ", Shown(want), ": ", Remedy(spec, field)));
  }
  if (differences.empty()) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat("the NATS stream ", spec.name,
                                                    " is there, but not as the settings say, and is left as it is; ",
                                                    absl::StrJoin(differences, "; ")));
}

absl::StatusOr<StreamInfo> OpenStream(JetStreamApi& api, const StreamDefinition& spec, absl::Duration limit) {
  absl::StatusOr<json::object> answer = api.CallNow(absl::StrCat("STREAM.INFO.", spec.name), {}, limit);
  if (absl::IsNotFound(answer.status()) && !IsTransient(answer.status())) {
    const std::string create = absl::StrCat("STREAM.CREATE.", spec.name);
    const int replicas = spec.replicas == 0 ? kUsualReplicas : spec.replicas;
    answer = api.CallNow(create, StreamConfig(spec, replicas), limit);
    const bool single = absl::StrContains(answer.status().message(), "(10074)");
    if (single && spec.replicas == 0) answer = api.CallNow(create, StreamConfig(spec, 1), limit);
    if (single && spec.replicas > 1) {
      return absl::FailedPreconditionError(
          absl::StrCat("store.nats.replicas is ", spec.replicas,
                       ", but the NATS server is a single one: make it a cluster, or set store.nats.replicas to 1"));
    }
    // Another replica of ours may have been quicker.
    if (!answer.ok() && absl::StrContains(answer.status().message(), "(10058)")) {
      answer = api.CallNow(absl::StrCat("STREAM.INFO.", spec.name), {}, limit);
    }
  }
  if (absl::IsNotFound(answer.status())) {
    return absl::UnavailableError(
        "store.url: the NATS server does not answer for JetStream: enable it (jetstream {} in its configuration), for "
        "the account that the gateway uses");
  }
  if (!answer.ok()) {
    if (IsTransient(answer.status())) return absl::UnavailableError(answer.status().message());
    return answer.status();
  }
  StreamInfo info = ParseStreamInfo(*answer);
  if (absl::Status bad = CheckStream(spec, info.config); !bad.ok()) return bad;
  return info;
}

int64_t CopiesOf(const StreamInfo& info) {
  const json::value* const replicas = info.config.if_contains("num_replicas");
  return replicas != nullptr && replicas->is_int64() ? replicas->get_int64() : 1;
}

}  // namespace aulm::gateway
