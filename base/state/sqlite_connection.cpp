#include "base/state/sqlite_connection.h"

#include <sqlite3.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <thread>

namespace fairlead::state {

namespace {

// Pages in the write-ahead log at which a commit merges it into the database. Until then every
// process that finds the database open nowhere reads the log again (about 1 us a page), so an
// exec'd plugin pays for a long one at each call; a merge costs two fsyncs, so commits pay for a
// short one.
constexpr int kLogPages = 256;

Error error_of(int code, int sys_errno, std::string_view message, const std::string& path) {
  const auto text = [&](Code kind, std::string cause) {
    return Error{kind, sys_errno, fmt::format("use the state database {}: {}", path, cause)};
  };
  const bool no_space = sys_errno == ENOSPC || sys_errno == EDQUOT;
  switch (code & 0xff) {
    case SQLITE_FULL:
      return text(Code::kExhausted, "the disk is full; free some space and try again");
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return text(Code::kUnavailable,
                  fmt::format("other processes held its lock for {} s; try again",
                              Connection::kMostWait.count() / 1000));
    case SQLITE_READONLY:
      return text(Code::kIo, "it is read-only; check the permissions and the mount of its folder");
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
      return text(Code::kIo,
                  fmt::format("it is damaged or not a database ({}); put a copy back, "
                              "or move {}* away: then start anew, and `fairlead volume "
                              "recover` takes back the volumes, whose data is untouched; "
                              "networks have to be made again",
                              message, path));
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_IOERR:
      if (no_space)
        return text(Code::kExhausted, "the disk is full; free some space and try again");
      if (sys_errno != 0)
        return text(Code::kIo, fmt::format("{} ({})", std::strerror(sys_errno), message));
      [[fallthrough]];
    default:
      return text(Code::kIo, std::string(message));
  }
}

}  // namespace

void CloseConnection::operator()(sqlite3* connection) const { sqlite3_close(connection); }
void FinalizeStatement::operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }

Run::~Run() {
  if (statement_ != nullptr) sqlite3_reset(statement_);
}

// Binding fails only for a wrong index or after memory ran out; the step that follows reports both.
Run& Run::bind(int index, std::string_view text) {
  sqlite3_bind_text64(statement_, index, text.data() == nullptr ? "" : text.data(), text.size(),
                      SQLITE_STATIC, SQLITE_UTF8);
  return *this;
}

Run& Run::bind(int index, std::int64_t number) {
  sqlite3_bind_int64(statement_, index, number);
  return *this;
}

Result<bool> Run::step() {
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return fail(connection_->last_error());
}

std::string Run::text(int column) const {
  const auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
  return bytes == nullptr
             ? std::string()
             : std::string(bytes,
                           static_cast<std::size_t>(sqlite3_column_bytes(statement_, column)));
}

std::int64_t Run::number(int column) const { return sqlite3_column_int64(statement_, column); }
bool Run::is_null(int column) const {
  return sqlite3_column_type(statement_, column) == SQLITE_NULL;
}

Result<std::unique_ptr<Connection>> Connection::open(const std::string& path, OnClose on_close) {
  std::unique_ptr<Connection> connection(new Connection(path));
  sqlite3* handle = nullptr;
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  const int code = sqlite3_open_v2(path.c_str(), &handle, flags, nullptr);
  const int open_errno = errno;
  connection->handle_.reset(handle);
  if (code != SQLITE_OK) return fail(error_of(code, open_errno, sqlite3_errstr(code), path));
  sqlite3_busy_handler(handle, &Connection::on_busy, connection.get());
  sqlite3_wal_hook(handle, &Connection::on_commit, connection.get());
  if (on_close == OnClose::kKeepLog)
    sqlite3_db_config(handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  sqlite3_db_config(handle, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  return connection;
}

// SQLite's own busy timeout sleeps 1 to 100 ms at a time; a commit here takes some 30 us.
int Connection::on_busy(void* self, int count) {
  auto& connection = *static_cast<Connection*>(self);
  const auto now = std::chrono::steady_clock::now();
  if (count == 0) connection.waiting_since_ = now;
  if (now - connection.waiting_since_ > kMostWait) return 0;
  const int jitter = (static_cast<int>(::getpid()) * 31 + count * 17) % 50;
  std::this_thread::sleep_for(std::chrono::microseconds(std::min(20 + count * 10, 1000) + jitter));
  return 1;
}

void Connection::merge_log() {
  sqlite3_wal_checkpoint_v2(handle_.get(), nullptr, SQLITE_CHECKPOINT_RESTART, nullptr, nullptr);
}

// SQLite's own merge leaves the log's contents, and a process that opens the database anew does not
// know that they are merged already: without the truncation each call of an exec'd plugin would
// merge the same pages again. Waits for nobody: what readers still need stays in the log until the
// next commit.
int Connection::on_commit(void* self, sqlite3* handle, const char* database, int pages) {
  if (pages < kLogPages) return SQLITE_OK;
  sqlite3_busy_handler(handle, nullptr, nullptr);
  sqlite3_wal_checkpoint_v2(handle, database, SQLITE_CHECKPOINT_TRUNCATE, nullptr, nullptr);
  sqlite3_busy_handler(handle, &Connection::on_busy, self);
  return SQLITE_OK;
}

Status Connection::exec(const char* sql) {
  if (sqlite3_exec(handle_.get(), sql, nullptr, nullptr, nullptr) != SQLITE_OK)
    return fail(last_error());
  return {};
}

Result<Run> Connection::run(Statement& statement) {
  if (!statement.prepared_) {
    sqlite3_stmt* prepared = nullptr;
    const int code = sqlite3_prepare_v3(handle_.get(), statement.sql_, -1,
                                        SQLITE_PREPARE_PERSISTENT, &prepared, nullptr);
    if (code != SQLITE_OK) return fail(last_error());
    statement.prepared_.reset(prepared);
  }
  return Run(*this, statement.prepared_.get());
}

Status Connection::run_once(Statement& statement) {
  TRY(auto started, run(statement));
  TRY([[maybe_unused]] const bool row, started.step());
  return {};
}

Result<std::int64_t> Connection::number(const char* sql) {
  Statement statement(sql);
  TRY(auto started, run(statement));
  TRY([[maybe_unused]] const bool row, started.step());
  return started.number(0);
}

Result<std::string> Connection::text(const char* sql) {
  Statement statement(sql);
  TRY(auto started, run(statement));
  TRY([[maybe_unused]] const bool row, started.step());
  return started.text(0);
}

bool Connection::in_transaction() const { return sqlite3_get_autocommit(handle_.get()) == 0; }
int Connection::changes() const { return sqlite3_changes(handle_.get()); }

Error Connection::last_error() const {
  const int code = sqlite3_extended_errcode(handle_.get());
  return error_of(code, sqlite3_system_errno(handle_.get()), sqlite3_errmsg(handle_.get()), path_);
}

}  // namespace fairlead::state
