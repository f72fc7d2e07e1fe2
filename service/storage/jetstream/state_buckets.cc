#include "service/storage/jetstream/state_buckets.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "boost/json/array.hpp"
#include "service/base/log.h"

namespace aulm::gateway {
namespace {

constexpr absl::Duration kLimit = absl::Seconds(5);
// A write that is repeated within it is made once.
constexpr absl::Duration kDuplicateWindow = absl::Minutes(2);

}  // namespace

StateBuckets::StateBuckets(JetStreamApi& api, TaskThread& thread, Clock& clock, std::string prefix, int replicas)
    : api_(api),
      thread_(thread),
      prefix_(std::move(prefix)),
      replicas_(replicas),
      making_(std::make_unique<TaskThread>(clock)) {}

absl::Status StateBuckets::CheckAll() {
  const std::string ours = StreamOf("");
  for (size_t offset = 0;;) {
    absl::StatusOr<boost::json::object> answer = api_.CallNow("STREAM.NAMES", {{"offset", offset}}, kLimit);
    if (!answer.ok()) return answer.status();
    const boost::json::value* const streams = answer->if_contains("streams");
    const auto* const names = streams == nullptr ? nullptr : streams->if_array();
    if (names == nullptr || names->empty()) return absl::OkStatus();
    offset += names->size();
    for (const boost::json::value& value : *names) {
      if (!value.is_string()) continue;
      const std::string name(value.get_string());
      if (!absl::StartsWith(name, ours)) continue;
      const std::string bucket = name.substr(ours.size());
      absl::StatusOr<StreamInfo> info = OpenStream(api_, SpecOf(bucket), kLimit);
      if (!info.ok()) return info.status();
      OnOpened(bucket, info);
    }
  }
}

void StateBuckets::Use(const std::string& bucket, Ready ready) {
  Bucket& known = buckets_[bucket];
  if (known.open) return std::move(ready)(absl::OkStatus());
  known.waiting.push_back(std::move(ready));
  if (known.waiting.size() > 1) return;
  making_->Post([this, bucket] {
    thread_.Post([this, bucket, info = OpenStream(api_, SpecOf(bucket), kLimit)] { OnOpened(bucket, info); });
  });
}

void StateBuckets::OnOpened(const std::string& bucket, const absl::StatusOr<StreamInfo>& info) {
  Bucket& known = buckets_[bucket];
  const absl::Status& status = info.status();
  known.open = status.ok();
  known.one_copy = status.ok() && CopiesOf(*info) == 1;
  if (!status.ok())
    LogLine(LogLevel::kError, "state_bucket").Field("bucket", bucket).Field("message", status.message());
  std::vector<Ready> waiting;
  waiting.swap(known.waiting);
  const absl::Status told = status.ok() ? status : absl::UnavailableError(status.message());
  for (Ready& ready : waiting) std::move(ready)(told);
}

StreamDefinition StateBuckets::DefinitionOf(absl::string_view prefix, int replicas, absl::string_view bucket) {
  StreamDefinition spec;
  spec.name = absl::StrCat("KV_", prefix, "-state-", bucket);
  spec.subject = absl::StrCat("$KV.", prefix, "-state-", bucket, ".>");
  spec.replicas = replicas;
  spec.max_per_subject = 1;
  spec.duplicate_window = kDuplicateWindow;
  spec.direct = true;
  return spec;
}

bool StateBuckets::HasOneCopy(const std::string& bucket) const {
  const auto known = buckets_.find(bucket);
  return known != buckets_.end() && known->second.one_copy;
}

std::string StateBuckets::StreamOf(absl::string_view bucket) const {
  return absl::StrCat("KV_", prefix_, "-state-", bucket);
}

std::string StateBuckets::SubjectOf(absl::string_view bucket) const {
  return absl::StrCat("$KV.", prefix_, "-state-", bucket);
}

std::vector<std::string> StateBuckets::Known() const {
  std::vector<std::string> known;
  for (const auto& [name, bucket] : buckets_) {
    if (bucket.open) known.push_back(name);
  }
  return known;
}

}  // namespace aulm::gateway
