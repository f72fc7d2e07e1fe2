#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "service/base/clock.h"
#include "service/base/random.h"
#include "service/storage/jetstream/jetstream_api.h"
#include "service/storage/jetstream/state_buckets.h"
#include "service/storage/jetstream/state_requests.h"
#include "service/storage/state_store.h"
#include "service/storage/storage_metrics.h"
#include "service/storage/task_thread.h"
#include "service/storage/wake_timer.h"

namespace aulm::gateway {

// The state in key-value buckets of JetStream. An entry's revision is its sequence; a compare-and-set is a publish that
// expects the subject's last sequence, so the stream's leader decides, whoever asks. Expiry stands in a header: who
// reads takes an expired entry for absent, and StateSweeper removes it. Reads ask the leader too, so they see every
// write that was answered. Both durabilities are the same here: answered when JetStream has it. Everything runs on one
// thread; the writes of one key go one after the other, those of different keys at once.
class JetStreamStateStore final : public StateStore {
 public:
  // The expiry of an entry: milliseconds since the epoch, in this header; without it, never.
  static constexpr char kExpiresHeader[] = "Aulm-Expires";
  // A deleted key is a message without a value that says so, as in every key-value bucket of NATS.
  static constexpr char kOperationHeader[] = "KV-Operation";
  static constexpr char kDeleted[] = "DEL";

  // All must outlive this. At most `max_open` calls wait; more are refused.
  JetStreamStateStore(StateBuckets& buckets, JetStreamApi& api, StateRequests& requests, TaskThread& thread,
                      const Clock& clock, Random& random, StorageMetrics& metrics, size_t max_open);

  void Write(std::vector<StateWrite> writes, Durability durability, WriteCallback done) override;
  void Get(std::string bucket, std::string key, GetCallback done) override;
  void List(std::string bucket, std::string prefix, std::string after_key, size_t limit, ListCallback done) override;

  // On `thread`, a few times a second: repeats what failed for a moment.
  void Tick();

  // Further calls are refused; those under way are waited for, which takes no longer than a call may take. Blocks.
  void Drain();

 private:
  struct Call {
    std::vector<absl::StatusOr<uint64_t>> results;
    size_t open;
    WriteCallback done;
  };

  // One write of a call.
  struct Item {
    std::shared_ptr<Call> call;
    size_t index;
    StateWrite write;
    std::string subject;
    std::string message_id;  // the beginning of all that it is published under
    int refusals = 0;        // for another last sequence
    absl::Time begun;
    std::optional<uint64_t> expected;         // what the stream is to compare with
    std::vector<std::function<void()>> then;  // reads that were asked for after this, and are to see it
  };
  using ItemPtr = std::shared_ptr<Item>;

  // What stands under a subject, as far as this replica knows. A revision's content never changes, so what is known of
  // it stays true; whether it is still the last one, the leader says.
  struct Known {
    uint64_t revision = 0;
    absl::Time expires;
    bool deleted = false;

    bool Exists(absl::Time now) const { return revision != 0 && !deleted && expires > now; }
  };

  struct Current {
    Known known;
    std::string value;
    std::string message_id;
  };

  struct Listing;

  absl::Status Admit();
  void Leave() { --open_; }
  void Begin(const ItemPtr& item);
  void Decide(const ItemPtr& item);
  void DecideKnowing(const ItemPtr& item, const Known& current);
  void Publish(const ItemPtr& item);
  void OnPublished(const ItemPtr& item, const absl::StatusOr<PublishAck>& ack);
  void OnMade(const ItemPtr& item, uint64_t sequence);
  void Resolve(const ItemPtr& item, absl::StatusOr<uint64_t> result);
  // The entry under a subject as the leader has it; tried until `deadline`.
  void ReadCurrent(const std::string& bucket, const std::string& subject, absl::Time deadline,
                   std::function<void(absl::StatusOr<Current>)> done);
  // The same from the only copy, which need not be asked through JetStream's API.
  void ReadDirectly(const std::string& bucket, const std::string& subject, absl::Time deadline,
                    std::function<void(absl::StatusOr<Current>)> done);
  void ListSubjects(const std::shared_ptr<Listing>& listing);
  void ListValues(const std::shared_ptr<Listing>& listing);
  void Remember(const std::string& subject, const Known& known);
  // Calls `read` once every write that is under way for the subject, or for the bucket, is resolved.
  void AfterWritesOf(const std::string& subject, std::function<void()> read);
  void AfterWritesIn(const std::string& bucket, const std::function<void()>& read);
  void Later(absl::AnyInvocable<void() &&> task) { later_.push_back(std::move(task)); }

  StateBuckets& buckets_;
  JetStreamApi& api_;
  StateRequests& requests_;
  TaskThread& thread_;
  const Clock& clock_;
  Random& random_;
  StorageMetrics& metrics_;
  const size_t max_open_;
  std::atomic<size_t> open_{0};
  std::atomic<bool> closed_{false};

  // Of `thread`.
  absl::flat_hash_map<std::string, std::deque<ItemPtr>> queues_;  // by subject; the front one is under way
  absl::flat_hash_map<std::string, Known> known_;                 // by subject
  std::vector<absl::AnyInvocable<void() &&>> later_;              // what Tick tries again
};

}  // namespace aulm::gateway
