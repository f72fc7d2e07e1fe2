#include "service/storage/sqlite/delivery_table.h"

#include <vector>

namespace aulm::gateway {
namespace {

constexpr int64_t kRowsSwept = 1000;

}  // namespace

absl::StatusOr<DeliveryTable> DeliveryTable::Open(Connection& connection) {
  DeliveryTable table(connection);
  absl::Status status = connection.Prepare({
      {&table.insert_, "INSERT INTO deliveries(id, sequence, seen_s) VALUES(?1, ?2, ?3) ON CONFLICT DO NOTHING"},
      {&table.find_, "SELECT sequence FROM deliveries WHERE id = ?1"},
      {&table.after_, "SELECT id, seen_s FROM deliveries WHERE id > ?1 ORDER BY id LIMIT ?2"},
      {&table.delete_, "DELETE FROM deliveries WHERE id = ?1"},
  });
  if (!status.ok()) return status;
  return table;
}

absl::StatusOr<bool> DeliveryTable::Insert(absl::string_view key, uint64_t sequence, int64_t now_ms) {
  absl::Status status = insert_.BindBlob(1, key).Bind(2, static_cast<int64_t>(sequence)).Bind(3, now_ms / 1000).Run();
  if (!status.ok()) return status;
  return connection_->Changes() != 0;
}

absl::StatusOr<uint64_t> DeliveryTable::Find(absl::string_view key) {
  ResetAtEnd reset(find_);
  absl::StatusOr<bool> row = find_.BindBlob(1, key).Step();
  if (!row.ok()) return row.status();
  return *row ? static_cast<uint64_t>(find_.Integer(0)) : 0;
}

absl::StatusOr<bool> DeliveryTable::Sweep(int64_t before_ms) {
  std::vector<std::string> expired;
  std::string last;
  int64_t rows = 0;
  {
    ResetAtEnd reset(after_);
    after_.BindBlob(1, swept_).Bind(2, kRowsSwept);
    while (true) {
      absl::StatusOr<bool> row = after_.Step();
      if (!row.ok()) return row.status();
      if (!*row) break;
      ++rows;
      last = std::string(after_.Bytes(0));
      if (after_.Integer(1) < before_ms / 1000) expired.push_back(last);
    }
  }
  for (const std::string& key : expired) {
    if (absl::Status status = delete_.BindBlob(1, key).Run(); !status.ok()) return status;
  }
  const bool at_end = rows < kRowsSwept;
  swept_ = at_end ? "" : last;
  return at_end;
}

}  // namespace aulm::gateway
