#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "service/storage/sqlite/connection.h"
#include "service/storage/sqlite/statement.h"

namespace aulm::gateway {

// Which deliveries were seen, whether or not their events are still in the log.
//
// Keys are random: each one put into the table at once would dirty a page of its own, which costs more than storing the
// event. So the newest ones stand in memory, and in their events, from which a start reads them again; when there are
// many, they are merged into the table in the order of keys, many to a page. An event must not be deleted before its
// key was merged (FirstUnmerged).
//
// There is no index by time either: a sweep in the order of keys finds the expired. Only the writer's thread uses this,
// and the transactions are its caller's, who says how each ended.
class DeliveryIndex {
 public:
  // Reads the keys that were not merged: a bounded number. Errors: those of SqliteStatus.
  static absl::StatusOr<std::unique_ptr<DeliveryIndex>> Open(Connection& connection);

  DeliveryIndex(const DeliveryIndex&) = delete;
  DeliveryIndex& operator=(const DeliveryIndex&) = delete;

  // The sequence that `key` was first stored with; 0 when it was not.
  absl::StatusOr<uint64_t> Find(absl::string_view key);

  // Remembers a key that was not there as that of event `sequence`, which the running transaction stores.
  void Add(absl::string_view key, uint64_t sequence, int64_t ingested_ms);

  // The first event whose key is in no table yet; the largest number when there is none.
  uint64_t FirstUnmerged() const;

  // Whether so many keys wait that a merge should begin, or one is under way.
  bool MergeIsDue() const;

  // Merges the next keys of a merge, beginning one where none is under way: those of the events up to `head`. False
  // when there was nothing to merge.
  absl::StatusOr<bool> MergeStep(uint64_t head);

  // Deletes the expired among the next rows of the table, which it leaves off at; true when it came to the end and will
  // begin anew.
  absl::StatusOr<bool> Sweep(int64_t before_ms);

  // How the transaction ended that the calls since the last of these belonged to.
  void Committed();
  void RolledBack();

 private:
  struct Seen {
    uint64_t sequence;
    int64_t seconds;
  };
  using Keys = absl::btree_map<std::string, Seen>;

  explicit DeliveryIndex(Connection& connection);

  absl::Status LoadUnmerged();

  Connection& connection_;
  Statement find_, insert_, set_merged_, after_, delete_;

  Keys fresh_;
  uint64_t first_fresh_ = 0;        // the lowest sequence in fresh_, where it has any
  std::vector<std::string> added_;  // to fresh_, in the running transaction

  Keys merging_;
  uint64_t first_merging_ = 0;
  uint64_t merging_through_ = 0;   // every key of the events up to here is in merging_ or in the table
  Keys::const_iterator merged_;    // the first of merging_ that is not in the table
  Keys::const_iterator to_merge_;  // the same, once the running transaction is committed

  std::string swept_;  // the key that the sweep has come to
};

}  // namespace aulm::gateway
