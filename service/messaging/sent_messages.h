#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "prometheus/counter.h"
#include "prometheus/registry.h"
#include "service/base/clock.h"
#include "service/messaging/send.h"
#include "service/messaging/sends_elsewhere.h"
#include "service/storage/state_store.h"

namespace aulm::gateway {

// Tells of a status which message it is about: the recent ones from memory, the others from the state store. aulm's
// webhook can be faster than aulm's answer to the send: while a send to that session and number is under way, a status
// that fits no message waits for it. Thread-safe; never blocks.
class SentMessages : public std::enable_shared_from_this<SentMessages> {
 public:
  struct Options {
    size_t max_messages = 50'000;  // in memory, the oldest give way; some 300 bytes each, and the labels
    size_t max_bytes = 32 << 20;   // of keys and marks in memory
    absl::Duration longest_wait = absl::Seconds(1);
    // Of a store that replicas share: where another replica may be sending on the session, the store is looked at once
    // more after second_look. Null: there are no others.
    std::shared_ptr<SendsElsewhere> elsewhere;
    absl::Duration second_look = absl::Milliseconds(300);
    // Told of each message that Add is told of; must not block. May be empty.
    std::function<void(absl::string_view account, const SendResult& result)> on_sent;
  };

  // What there is to say of the message that a status names.
  struct Match {
    // False: no send of the gateway's made it. True: one did, or one that was too slow may have.
    bool known = false;
    std::string marks;  // EncodeMarks of its record
  };
  using Found = absl::AnyInvocable<void(Match) &&>;

  // A send that is under way. Its end lets go whoever waits for it. Movable.
  class Expectation {
   public:
    Expectation() = default;
    Expectation(Expectation&& other) noexcept = default;
    Expectation& operator=(Expectation&& other) noexcept {
      End();
      owner_ = std::move(other.owner_);
      conversation_ = std::move(other.conversation_);
      return *this;
    }
    ~Expectation() { End(); }

    // Add its message before, where there is one.
    void End();

   private:
    friend class SentMessages;
    std::shared_ptr<SentMessages> owner_;
    std::string conversation_;
  };

  // All outlive it. Adds the counter aulm_statuses_total{match}.
  static std::shared_ptr<SentMessages> Create(Options options, StateStore& store, Clock& clock,
                                              prometheus::Registry& registry);

  // A send may reach aulm from now on.
  Expectation Expect(absl::string_view account, absl::string_view session_id, absl::string_view to)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // aulm took a send. Only in memory: the request ledger makes it durable.
  void Add(const Send& send, absl::string_view account, const SendResult& result) ABSL_LOCKS_EXCLUDED(mutex_);

  // Calls `found` once: inside the call where the message is in memory, else on a thread of the store's, the clock's or
  // of whoever ends an Expectation. A store that fails counts as knowing nothing.
  void Find(absl::string_view account, absl::string_view session_id, absl::string_view to, absl::string_view message_id,
            Found found) ABSL_LOCKS_EXCLUDED(mutex_);

  // Nothing waits from now on, and whoever waits goes on.
  void Close() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Message {
    std::string key;
    std::string marks;
  };
  struct Waiter {
    uint64_t id;
    std::string key;
    Found found;
    Clock::TimerId timer;
  };
  struct Conversation {
    int sends = 0;
    std::list<Waiter> waiters;
  };

  SentMessages(Options options, StateStore& store, Clock& clock, prometheus::Registry& registry);

  // The marks of a message in memory.
  std::optional<std::string> Recall(const std::string& key) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Remember(std::string key, std::string marks) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // `looked`: the store has said that it does not know the message.
  void FindOrWait(const std::string& conversation, std::string key, bool looked, Found found)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Whether another replica may be sending on the conversation's session.
  bool MayBeElsewhere(const std::string& conversation) const;
  void LookLater(std::string key, Found found) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void EndOf(const std::string& conversation) ABSL_LOCKS_EXCLUDED(mutex_);
  void GiveUp(const std::string& conversation, uint64_t waiter) ABSL_LOCKS_EXCLUDED(mutex_);
  void LookAgain(uint64_t waiter) ABSL_LOCKS_EXCLUDED(mutex_);

  const Options options_;
  StateStore& store_;
  Clock& clock_;
  prometheus::Counter& from_memory_;
  prometheus::Counter& from_store_;
  prometheus::Counter& awaited_;
  prometheus::Counter& timed_out_;
  prometheus::Counter& unknown_;

  absl::Mutex mutex_;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  std::list<Message> by_age_ ABSL_GUARDED_BY(mutex_);  // the newest first
  absl::flat_hash_map<absl::string_view, std::list<Message>::iterator> by_key_ ABSL_GUARDED_BY(mutex_);
  size_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  // Those with a send under way, by account, session and number.
  absl::flat_hash_map<std::string, Conversation> conversations_ ABSL_GUARDED_BY(mutex_);
  // Those for whom the store is looked at once more.
  std::list<Waiter> looking_again_ ABSL_GUARDED_BY(mutex_);
  uint64_t next_waiter_ ABSL_GUARDED_BY(mutex_) = 1;
};

}  // namespace aulm::gateway
