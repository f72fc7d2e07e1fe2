#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "service/base/clock.h"
#include "service/storage/jetstream/jetstream_api.h"
#include "service/storage/jetstream/stream_setup.h"
#include "service/storage/task_thread.h"

namespace aulm::gateway {

// The key-value buckets of the state, one stream each: KV_<prefix>-state-<bucket>. Made when they are first used, and
// checked once. Everything runs on `thread` but the making, which blocks and has a thread of its own.
class StateBuckets {
 public:
  using Ready = absl::AnyInvocable<void(const absl::Status&) &&>;

  StateBuckets(JetStreamApi& api, TaskThread& thread, Clock& clock, std::string prefix, int replicas);

  // Checks every bucket that is there already. Blocks: before the store is used. Errors: as OpenStream.
  absl::Status CheckAll();

  // Calls `ready` when the bucket can be used, at once where it is known to be. Errors: UNAVAILABLE.
  void Use(const std::string& bucket, Ready ready);

  // Ends the making: before `thread` ends.
  void Stop() { making_.reset(); }

  // Whether there is one copy alone, so that whoever answers for it has what is newest. Of a bucket in use.
  bool HasOneCopy(const std::string& bucket) const;

  // The stream of a bucket.
  static StreamDefinition DefinitionOf(absl::string_view prefix, int replicas, absl::string_view bucket);

  std::string StreamOf(absl::string_view bucket) const;
  // Without the dot before the key's tokens.
  std::string SubjectOf(absl::string_view bucket) const;

  // The buckets in use here.
  std::vector<std::string> Known() const;

 private:
  struct Bucket {
    bool open = false;
    bool one_copy = false;
    std::vector<Ready> waiting;
  };

  StreamDefinition SpecOf(absl::string_view bucket) const { return DefinitionOf(prefix_, replicas_, bucket); }
  void OnOpened(const std::string& bucket, const absl::StatusOr<StreamInfo>& info);

  JetStreamApi& api_;
  TaskThread& thread_;
  const std::string prefix_;
  const int replicas_;
  absl::flat_hash_map<std::string, Bucket> buckets_;
  std::unique_ptr<TaskThread> making_;
};

}  // namespace aulm::gateway
