#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "service/base/clock.h"
#include "service/base/random.h"
#include "service/storage/event_log.h"
#include "service/storage/jetstream/bulk_requests.h"
#include "service/storage/storage_metrics.h"

namespace aulm::gateway {

// The way of an event into the log's stream, many at once: its delivery id is looked up in the bucket of deliveries, it
// is published under a message id of its own, the acknowledgement comes, the delivery is marked as seen, the follower
// has it, and only then is the append answered. In that order, so that nothing is marked that was not stored. What
// fails on the way is repeated under the same message id until the append's time is up.
class AppendPipeline {
 public:
  struct Options {
    std::string prefix;
    std::string deliveries_stream;    // KV_<bucket>
    std::string deliveries_subject;   // $KV.<bucket>
    absl::Duration duplicate_window;  // of the log's stream
    size_t max_appends;
    size_t max_bytes;
    // The time that an append may take; aulm waits "a few seconds".
    absl::Duration limit = absl::Milliseconds(4500);
    absl::Duration try_timeout = absl::Milliseconds(1500);
    // What the leader calls in process for longer it never stored, though it has stored nothing else meanwhile.
    absl::Duration process_limit = absl::Seconds(30);
    // The first lookups of an append wait no longer: any copy of the bucket may be asked, also one whose server hangs.
    absl::Duration quick_timeout = absl::Milliseconds(300);
    // With no connection for so long, appends are refused at once.
    absl::Duration patience = absl::Seconds(1);
  };

  // Everything but Append runs on the connection's loop. `head` tells how far the log was followed, `earliest` where it
  // begins. `replace_leader` is called, perhaps often, where the leader can store an event no more (IsInProcess).
  AppendPipeline(Options options, NatsConnection& connection, Clock& clock, Random& random, StorageMetrics& metrics,
                 std::function<uint64_t()> head, std::function<uint64_t()> earliest,
                 std::function<void()> replace_leader);

  AppendPipeline(const AppendPipeline&) = delete;
  AppendPipeline& operator=(const AppendPipeline&) = delete;

  // Listens for answers. Before the first append.
  absl::Status Start();

  // EventLog::Append. From any thread.
  void Append(const NewEvent& event, EventLog::AppendCallback done);

  // On the loop: the log was followed further. Answers what waited for that.
  void OnHead();

  // On the loop: the connection broke, and answers will not come.
  void OnDisconnected();

  // On the loop, a few times a second: repeats what failed, and gives up what took too long.
  void Tick();

  // On the loop, when nothing is open any more: ends the listening.
  void Stop();

  // From any thread: further appends are refused.
  void Close() { closed_ = true; }

  // Appends that are not answered yet. From any thread.
  size_t open() const { return open_; }

 private:
  enum class Step { kLookingUp, kReady, kPublishing, kMarking, kFollowing, kDone };

  struct Item {
    std::string subject;
    std::string message_id;
    std::string payload;
    std::string delivery_key;  // empty: never deduplicated
    bool recent = false;       // the stream itself knows whether it was here before
    EventLog::AppendCallback done;
    absl::Time begun;
    Step step = Step::kReady;
    int tries = 0;  // publishes
    int lookups = 0;
    bool retry = false;
    bool duplicate = false;
    uint64_t sequence = 0;
    // Of the same delivery, come while this one was under way.
    std::vector<EventLog::AppendCallback> twins;
  };
  using ItemPtr = std::shared_ptr<Item>;

  // When the stream's leader first called a message id in process, and where the head was then.
  struct InProcess {
    absl::Time since;
    uint64_t head;
  };

  absl::Status Admit(size_t bytes);
  void NoteConnection(absl::Time now);
  void Take(ItemPtr item);
  void LookUp(const ItemPtr& item);
  void OnLookedUp(const ItemPtr& item, absl::StatusOr<uint64_t> sequence);
  void PublishReady();
  void Publish(const ItemPtr& item);
  void OnPublished(const ItemPtr& item, const absl::StatusOr<NatsMessage>& answer);
  void NoteInProcess(const Item& item);
  void Mark(const ItemPtr& item);
  void OnMarked(const ItemPtr& item, const absl::StatusOr<NatsMessage>& answer);
  void AnswerFollowed();
  void Finish(const ItemPtr& item, absl::StatusOr<Appended> result);
  std::string DeliverySubject(const Item& item) const;
  std::array<BulkRequests*, 4> AllRequests() { return {&quick_lookups_, &lookups_, &publishes_, &marks_}; }

  const Options options_;
  NatsConnection& connection_;
  Clock& clock_;
  Random& random_;
  StorageMetrics& metrics_;
  const std::function<uint64_t()> head_;
  const std::function<uint64_t()> earliest_;
  const std::function<void()> replace_leader_;
  std::atomic<bool> closed_{false};
  std::atomic<bool> down_{false};  // no connection, for longer than our patience
  std::atomic<size_t> open_{0};
  std::atomic<size_t> open_bytes_{0};

  // Of the loop.
  BulkRequests quick_lookups_, lookups_, publishes_, marks_;
  absl::Time down_since_ = absl::InfiniteFuture();
  std::deque<ItemPtr> by_age_;          // all, the oldest first; those that are done go when they come to the front
  std::deque<ItemPtr> unpublished_;     // in the order in which they are to be published
  size_t failed_publishes_ = 0;         // wait to be repeated, and hold up those behind them
  std::map<uint64_t, ItemPtr> stored_;  // by sequence: acknowledged, not answered yet
  absl::flat_hash_map<std::string, ItemPtr> by_delivery_;
  absl::flat_hash_map<std::string, InProcess> in_process_;  // by message id; kept while aulm repeats a delivery
};

}  // namespace aulm::gateway
