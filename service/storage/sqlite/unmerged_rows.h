#pragma once

#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "service/storage/sqlite/state_row.h"

namespace aulm::gateway {

// The newest committed row of each name that is not in the state's table yet. Looked up for nearly every read and write
// of the state, so by hash: the names of a bucket share long beginnings, and searching in their order would compare
// them a dozen times, each a miss of the cache. Listing, which is rare, looks through one bucket. Not thread-safe.
class UnmergedRows {
 public:
  // Rows of one name come in the order in which they were decided.
  void Add(const StateRowPtr& row);
  // Drops the row unless a newer one has come.
  void Drop(const StateRow& row);

  // Null when there is none.
  StateRowPtr Find(absl::string_view name) const;
  // Those from `first` on and before `end`, all of one bucket, in the order of their names.
  std::vector<StateRowPtr> List(absl::string_view first, absl::string_view end) const;

 private:
  // The keys are the names of their rows.
  using Bucket = absl::flat_hash_map<absl::string_view, StateRowPtr>;

  const Bucket* BucketOf(absl::string_view name) const;

  absl::flat_hash_map<std::string, Bucket> buckets_;
};

}  // namespace aulm::gateway
