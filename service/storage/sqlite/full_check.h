#pragma once

#include <string>

#include "absl/status/status.h"

namespace aulm::gateway {

// Reads the whole of a store's database file: SQLite's own integrity check, then what this engine relies on (sequences
// without gaps, times and offsets that never decrease, records that decode, nothing that points beyond the head). Takes
// time in proportion to the file, during which the write-ahead log cannot begin anew. Works beside a running store.
// Errors: DATA_LOSS naming what is wrong; those of SqliteStatus.
absl::Status CheckWholeStore(const std::string& file);

}  // namespace aulm::gateway
