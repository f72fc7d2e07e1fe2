#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"

namespace aulm::gateway {

// A write of one key of the state that was decided: on its way to the disk, or there.
struct StateRow {
  std::string name;  // bucket, '/', key: a bucket has no '/', so the first one parts them
  uint64_t revision = 0;
  std::optional<std::string> value;  // nullopt: the key is deleted
  absl::Time expires = absl::InfiniteFuture();

  // About what it takes in memory and on the disk.
  size_t Bytes() const { return 32 + name.size() + (value.has_value() ? value->size() : 0); }
};

// Shared by the threads that know it: nobody changes a row.
using StateRowPtr = std::shared_ptr<const StateRow>;

// Milliseconds as the state table keeps them; infinite times become the largest and smallest numbers.
int64_t StateMilliseconds(absl::Time time);
absl::Time StateTime(int64_t milliseconds);

// Rows as one entry of the journal (schema.h): a version, then for each row the sizes of its name and value, revision,
// expiry, name and value.
std::string EncodeStateRows(absl::Span<const StateRowPtr> rows);
// Appends them; false when the bytes are not such an entry.
bool DecodeStateRows(absl::string_view bytes, std::vector<StateRowPtr>& rows);

}  // namespace aulm::gateway
