#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

struct sqlite3;
struct sqlite3_stmt;

namespace aulm::gateway {

// One prepared statement, made by Connection::Prepare and reused for the life of the connection. Bind, then either Run
// or Step until there is no further row. Not thread-safe; must not outlive its connection.
class Statement {
 public:
  Statement() = default;
  Statement(sqlite3* db, sqlite3_stmt* statement) : db_(db), statement_(statement) {}
  Statement(Statement&& other) noexcept;
  Statement& operator=(Statement&& other) noexcept;
  ~Statement();

  // Parameters count from 1 and keep their values until they are bound again. Bytes are not copied: they must live
  // until the statement was run to its end or reset.
  Statement& Bind(int parameter, int64_t value);
  Statement& BindText(int parameter, absl::string_view text);
  Statement& BindBlob(int parameter, absl::string_view bytes);
  Statement& BindNull(int parameter);

  // To the next row: false when there is none, and then the statement is reset. While a row stands, the connection
  // holds a read transaction: Reset when no more rows are wanted. Errors: those of SqliteStatus; the statement is
  // reset.
  absl::StatusOr<bool> Step();

  // Runs a statement that gives no rows (or whose rows nobody wants) to its end.
  absl::Status Run();

  // Of the row that Step came to; columns count from 0. Bytes are valid until the next Step or Reset.
  int64_t Integer(int column) const;
  absl::string_view Bytes(int column) const;
  bool IsNull(int column) const;

  void Reset();

 private:
  sqlite3* db_ = nullptr;
  sqlite3_stmt* statement_ = nullptr;
};

// Resets a statement at the end of a scope that may leave rows unread.
class ResetAtEnd {
 public:
  explicit ResetAtEnd(Statement& statement) : statement_(statement) {}
  ~ResetAtEnd() { statement_.Reset(); }

  ResetAtEnd(const ResetAtEnd&) = delete;
  ResetAtEnd& operator=(const ResetAtEnd&) = delete;

 private:
  Statement& statement_;
};

}  // namespace aulm::gateway
