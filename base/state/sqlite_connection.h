// SQLite behind owning types and Results: a connection, its prepared statements and their runs.
// This file does not know what is stored. Not thread-safe: one thread at a time may use a
// connection and everything made from it.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace fairlead::state {

struct CloseConnection {
  void operator()(sqlite3* connection) const;
};
struct FinalizeStatement {
  void operator()(sqlite3_stmt* statement) const;
};

class Connection;

// A statement that is prepared at its first use and then kept. It must be destroyed before its
// connection.
class Statement {
 public:
  explicit Statement(const char* sql) : sql_(sql) {}

 private:
  friend class Connection;
  const char* sql_;
  std::unique_ptr<sqlite3_stmt, FinalizeStatement> prepared_;
};

// One run of a statement; the destructor resets it. Bound texts are borrowed until then.
class Run {
 public:
  Run(Connection& connection, sqlite3_stmt* statement)
      : connection_(&connection), statement_(statement) {}
  Run(Run&& other) noexcept
      : connection_(other.connection_), statement_(std::exchange(other.statement_, nullptr)) {}
  Run& operator=(Run&&) = delete;
  ~Run();

  Run& bind(int index, std::string_view text);
  Run& bind(int index, std::int64_t number);
  // Returns true when there is a row.
  Result<bool> step();
  std::string text(int column) const;
  std::int64_t number(int column) const;  // NULL is 0
  bool is_null(int column) const;

 private:
  Connection* connection_;
  sqlite3_stmt* statement_;
};

class Connection {
 public:
  // What happens to the write-ahead log when the last connection of all processes closes.
  enum class OnClose { kKeepLog, kMergeLog };

  // Opens an existing file. While another process holds a lock, calls wait up to `kMostWait` and
  // then return kUnavailable.
  static Result<std::unique_ptr<Connection>> open(const std::string& path, OnClose on_close);

  Status exec(const char* sql);
  Result<Run> run(Statement& statement);
  // Runs a statement that has nothing to bind and no rows.
  Status run_once(Statement& statement);
  // The first column of the first row.
  Result<std::int64_t> number(const char* sql);
  Result<std::string> text(const char* sql);

  // Merges the write-ahead log into the database, so that the next commit overwrites the log from
  // its beginning; this makes room on a full disk. Pages that cannot be merged, because of readers
  // or a lack of space, stay in the log.
  void merge_log();

  bool in_transaction() const;
  int changes() const;  // rows that the last statement changed
  // The error of the last call: kExhausted for a full disk, kUnavailable for a lock that others
  // hold, kIo otherwise. The text names the file and what can be done.
  Error last_error() const;
  const std::string& path() const { return path_; }

  static constexpr std::chrono::milliseconds kMostWait{5000};

 private:
  explicit Connection(std::string path) : path_(std::move(path)) {}
  static int on_busy(void* self, int count);
  static int on_commit(void* self, sqlite3* handle, const char* database, int pages);

  std::string path_;
  std::unique_ptr<sqlite3, CloseConnection> handle_;
  std::chrono::steady_clock::time_point waiting_since_;
};

}  // namespace fairlead::state
