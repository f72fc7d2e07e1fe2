#include "service/storage/sqlite/unmerged_rows.h"

#include <algorithm>

namespace aulm::gateway {
namespace {

absl::string_view BucketName(absl::string_view name) { return name.substr(0, name.find('/')); }

}  // namespace

void UnmergedRows::Add(const StateRowPtr& row) {
  Bucket& bucket = buckets_[BucketName(row->name)];
  const auto place = bucket.find(row->name);
  if (place != bucket.end()) bucket.erase(place);  // its key is the older row's
  bucket.emplace(row->name, row);
}

void UnmergedRows::Drop(const StateRow& row) {
  const auto bucket = buckets_.find(BucketName(row.name));
  if (bucket == buckets_.end()) return;
  const auto place = bucket->second.find(row.name);
  if (place != bucket->second.end() && place->second->revision == row.revision) bucket->second.erase(place);
}

const UnmergedRows::Bucket* UnmergedRows::BucketOf(absl::string_view name) const {
  const auto bucket = buckets_.find(BucketName(name));
  return bucket == buckets_.end() ? nullptr : &bucket->second;
}

StateRowPtr UnmergedRows::Find(absl::string_view name) const {
  const Bucket* const bucket = BucketOf(name);
  if (bucket == nullptr) return nullptr;
  const auto place = bucket->find(name);
  return place == bucket->end() ? nullptr : place->second;
}

std::vector<StateRowPtr> UnmergedRows::List(absl::string_view first, absl::string_view end) const {
  std::vector<StateRowPtr> rows;
  const Bucket* const bucket = BucketOf(first);
  if (bucket == nullptr) return rows;
  for (const auto& [name, row] : *bucket) {
    if (name >= first && name < end) rows.push_back(row);
  }
  std::sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) { return a->name < b->name; });
  return rows;
}

}  // namespace aulm::gateway
