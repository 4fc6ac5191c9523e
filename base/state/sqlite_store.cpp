#include "base/state/sqlite_store.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "base/fault.h"
#include "base/host.h"
#include "base/state/change_feed.h"
#include "base/state/reserve.h"
#include "base/state/sqlite_connection.h"
#include "base/state/sqlite_format.h"

namespace fairlead::state {

namespace {

// A connection with its statements, used by one thread at a time.
class Session {
 public:
  explicit Session(std::unique_ptr<Connection> connection) : connection_(std::move(connection)) {}

  Result<std::optional<Record>> get(std::string_view key);
  Result<std::vector<Record>> list(std::string_view prefix, std::string_view start_after,
                                   std::size_t limit);
  Result<std::int64_t> revision();
  // The revision that all changes up to it are forgotten.
  Result<std::int64_t> forgotten();
  Result<std::int64_t> revision_before(long long time);
  Result<CommitResult> commit(const Txn& txn, std::int64_t remembered);
  // Whether it adds no record.
  Result<bool> adds_nothing(const Txn& txn);
  // Lets the log begin anew.
  void merge_log() { connection_->merge_log(); }
  Result<std::vector<CommitEvents>> commits_after(std::int64_t after);
  // Differs from the last answer when another connection committed in between.
  Result<std::int64_t> data_version();

 private:
  Status set_durability(Durability durability);
  Status check(const std::vector<Precondition>& preconditions);
  // Within a transaction. Returns the new revision, or the present one when nothing is changed.
  Result<std::int64_t> apply(const Txn& txn);
  Status put(const Put& put, std::int64_t revision, std::int64_t change_id, std::int64_t now);
  Status forget(std::int64_t revision, std::int64_t remembered);
  void roll_back();

  std::unique_ptr<Connection> connection_;
  std::optional<Durability> durability_;
  Statement begin_{"BEGIN IMMEDIATE"};
  Statement commit_{"COMMIT"};
  Statement get_{"SELECT value, revision FROM record WHERE key = ?1"};
  Statement list_from_{
      "SELECT key, value, revision FROM record WHERE key >= ?1 AND key < ?2 ORDER BY key LIMIT ?3"};
  Statement list_after_{
      "SELECT key, value, revision FROM record WHERE key > ?1 AND key < ?2 ORDER BY key LIMIT ?3"};
  Statement revision_{"SELECT max(id) FROM change"};
  Statement oldest_{"SELECT min(id) FROM change"};
  Statement first_since_{"SELECT min(id) FROM change WHERE time >= ?1"};
  // Changes that an earlier version noted have the time 0.
  Statement oldest_time_{"SELECT min(time) FROM change WHERE time > 0"};
  Statement all_have_times_{"SELECT NOT EXISTS(SELECT 1 FROM change WHERE time = 0)"};
  Statement revision_of_{"SELECT revision FROM record WHERE key = ?1"};
  Statement put_{
      "INSERT INTO record(key, value, revision) VALUES(?1, ?2, ?3) "
      "ON CONFLICT(key) DO UPDATE SET value = excluded.value, revision = excluded.revision"};
  Statement delete_{"DELETE FROM record WHERE key = ?1"};
  Statement note_put_{
      "INSERT INTO change(id, key, value, before, time) "
      "VALUES(?1, ?2, ?3, (SELECT value FROM record WHERE key = ?2), ?4)"};
  Statement note_delete_{
      "INSERT INTO change(id, key, before, time) "
      "SELECT ?1, key, value, ?3 FROM record WHERE key = ?2"};
  Statement forget_{"DELETE FROM change WHERE id < ?1"};
  Statement changes_{"SELECT id, key, value, before, time FROM change WHERE id >= ?1 ORDER BY id"};
  Statement data_version_{"PRAGMA data_version"};
};

Result<std::optional<Record>> Session::get(std::string_view key) {
  TRY(auto run, connection_->run(get_));
  TRY(const bool found, run.bind(1, key).step());
  if (!found) return std::optional<Record>();
  return std::optional<Record>({std::string(key), run.text(0), run.number(1)});
}

Result<std::vector<Record>> Session::list(std::string_view prefix, std::string_view start_after,
                                          std::size_t limit) {
  const bool from_prefix = start_after < prefix;
  std::string end = prefix_end(prefix);
  if (end.empty()) end = "\x7f";  // behind every key
  TRY(auto run, connection_->run(from_prefix ? list_from_ : list_after_));
  run.bind(1, from_prefix ? prefix : start_after).bind(2, end);
  run.bind(3, limit == 0 ? std::int64_t{-1} : static_cast<std::int64_t>(limit));
  std::vector<Record> records;
  while (true) {
    TRY(const bool row, run.step());
    if (!row) return records;
    records.push_back({run.text(0), run.text(1), run.number(2)});
  }
}

Result<std::int64_t> Session::revision() {
  TRY(auto run, connection_->run(revision_));
  TRY([[maybe_unused]] const bool row, run.step());
  return run.number(0) / kChangesPerRevision;
}

Result<std::int64_t> Session::forgotten() {
  TRY(auto run, connection_->run(oldest_));
  TRY([[maybe_unused]] const bool row, run.step());
  return run.is_null(0) ? 0 : run.number(0) / kChangesPerRevision - 1;
}

Result<std::int64_t> Session::revision_before(long long time) {
  TRY(auto oldest, connection_->run(oldest_time_));
  TRY([[maybe_unused]] const bool a_row, oldest.step());
  const bool is_earlier = !oldest.is_null(0) && oldest.number(0) < time;
  TRY(const auto gone, forgotten());
  TRY(auto timed, connection_->run(all_have_times_));
  TRY([[maybe_unused]] const bool another_row, timed.step());
  const bool is_whole = gone == 0 && timed.number(0) != 0;
  if (!is_earlier && !is_whole)
    return fail(forgotten_before(oldest.is_null(0) ? unix_milliseconds() : oldest.number(0)));
  TRY(auto first, connection_->run(first_since_));
  TRY([[maybe_unused]] const bool row, first.bind(1, time).step());
  if (first.is_null(0)) return revision();
  return first.number(0) / kChangesPerRevision - 1;
}

Result<std::int64_t> Session::data_version() {
  TRY(auto run, connection_->run(data_version_));
  TRY([[maybe_unused]] const bool row, run.step());
  return run.number(0);
}

Result<std::vector<CommitEvents>> Session::commits_after(std::int64_t after) {
  TRY(auto run, connection_->run(changes_));
  run.bind(1, (after + 1) * kChangesPerRevision);
  std::vector<CommitEvents> commits;
  while (true) {
    TRY(const bool row, run.step());
    if (!row) return commits;
    const std::int64_t revision = run.number(0) / kChangesPerRevision;
    if (commits.empty() || commits.back().revision != revision) commits.push_back({revision, {}});
    const auto kind = run.is_null(2) ? Event::Kind::kDelete : Event::Kind::kPut;
    commits.back().events.push_back({kind,
                                     {run.text(1), run.text(2), revision},
                                     run.is_null(3) ? std::nullopt : std::optional(run.text(3)),
                                     run.number(4)});
  }
}

// SQLite runs this pragma while it is prepared, and not within a transaction.
Status Session::set_durability(Durability durability) {
  if (durability_ == durability) return {};
  durability_.reset();
  TRY_STATUS(connection_->exec(durability == Durability::kDurable ? "PRAGMA synchronous=FULL"
                                                                  : "PRAGMA synchronous=NORMAL"));
  durability_ = durability;
  return {};
}

Status Session::check(const std::vector<Precondition>& preconditions) {
  for (const Precondition& wanted : preconditions) {
    TRY(auto run, connection_->run(revision_of_));
    TRY(const bool found, run.bind(1, wanted.key).step());
    const std::int64_t revision = found ? run.number(0) : kAbsent;
    if (revision != wanted.revision) return fail(conflict(wanted, revision));
  }
  return {};
}

Status Session::put(const Put& put, std::int64_t revision, std::int64_t change_id,
                    std::int64_t now) {
  TRY(auto note, connection_->run(note_put_));  // first, because it reads the value from before
  TRY([[maybe_unused]] const bool no_row,
      note.bind(1, change_id).bind(2, put.key).bind(3, put.value).bind(4, now).step());
  TRY(auto record, connection_->run(put_));
  TRY([[maybe_unused]] const bool no_row_either,
      record.bind(1, put.key).bind(2, put.value).bind(3, revision).step());
  return {};
}

Result<std::int64_t> Session::apply(const Txn& txn) {
  TRY_STATUS(check(txn.preconditions));
  TRY(const auto present, revision());
  const std::int64_t first_id = (present + 1) * kChangesPerRevision;
  const std::int64_t now = unix_milliseconds();
  std::int64_t id = first_id;
  for (const Put& change : txn.puts) TRY_STATUS(put(change, present + 1, id++, now));
  for (const std::string& key : txn.deletes) {
    TRY(auto note, connection_->run(note_delete_));
    TRY([[maybe_unused]] const bool no_row, note.bind(1, id).bind(2, key).bind(3, now).step());
    if (connection_->changes() == 0) continue;
    ++id;
    TRY(auto record, connection_->run(delete_));
    TRY([[maybe_unused]] const bool no_row_either, record.bind(1, key).step());
  }
  return id == first_id ? present : present + 1;
}

// A few at a time is dearer than many at once: each time touches the oldest page.
Status Session::forget(std::int64_t revision, std::int64_t remembered) {
  if (revision % std::max<std::int64_t>(1, remembered / 16) != 0) return {};
  TRY(auto run, connection_->run(forget_));
  TRY([[maybe_unused]] const bool no_row,
      run.bind(1, (revision - remembered + 1) * kChangesPerRevision).step());
  return {};
}

// After a full disk or an I/O error SQLite may have done it already.
void Session::roll_back() {
  if (connection_->in_transaction()) static_cast<void>(connection_->exec("ROLLBACK"));
}

Result<CommitResult> Session::commit(const Txn& txn, std::int64_t remembered) {
  TRY_STATUS(set_durability(txn.durability));
  TRY_STATUS(connection_->run_once(begin_));
  auto revision = apply(txn);
  Status done;
  if (revision) done = forget(*revision, remembered);
  fault_point("state.commit.applied");
  if (revision && done) done = connection_->run_once(commit_);
  if (!revision || !done) roll_back();
  if (!revision) return fail(revision.error());
  if (!done) return fail(done.error());
  return CommitResult{*revision};
}

Result<bool> Session::adds_nothing(const Txn& txn) {
  for (const Put& put : txn.puts) {
    TRY(const auto present, get(put.key));
    if (!present) return false;
  }
  return true;
}

// A session and the lock of its user.
struct Seat {
  std::mutex mutex;
  std::optional<Session> session;
};

// A lease must end when its holder does not run, and nobody is there then to delete its records.
Status refuse_leases(const Txn& txn) {
  for (const Put& put : txn.puts)
    if (put.lease != 0)
      return fail(Code::kUnsupported,
                  "{} cannot have a lease in the state database of one host; use etcd", put.key);
  return {};
}

class SqliteStore : public Store {
 public:
  SqliteStore(std::string path, SqliteOptions options, std::unique_ptr<Connection> connection)
      : path_(std::move(path)), options_(options), reserve_(path_) {
    writer_.session.emplace(std::move(connection));
    if (options_.reserve_period.count() > 0)
      keeper_ = std::jthread([this](const std::stop_token& stop) { keep_reserve(stop); });
  }

  Result<std::optional<Record>> get(std::string_view key) override {
    return read([&](Session& session) { return session.get(key); });
  }

  Result<std::vector<Record>> list(std::string_view prefix, std::string_view start_after,
                                   std::size_t limit) override {
    return read([&](Session& session) { return session.list(prefix, start_after, limit); });
  }

  Result<std::int64_t> revision() override {
    return read([](Session& session) { return session.revision(); });
  }

  Result<std::int64_t> revision_before(long long time) override {
    return read([&](Session& session) { return session.revision_before(time); });
  }

  Result<CommitResult> commit(const Txn& txn) override {
    TRY_STATUS(validate(txn));
    TRY_STATUS(refuse_leases(txn));
    const std::scoped_lock hold(writer_.mutex);
    auto done = writer_.session->commit(txn, options_.remembered);
    if (!done && done.error().code == Code::kExhausted) done = commit_on_full_disk(txn, done);
    if (!done) return done;
    reserve_.fill();
    signal_->notify();
    return done;
  }

  Result<std::unique_ptr<Watch>> watch(
      std::string_view prefix, std::int64_t after,
      std::function<void(const std::vector<Event>&)> on_events) override;

 private:
  // Runs a read where it need not wait: beside a commit it gets a connection of its own, opened
  // when first needed.
  template <class Read>
  auto read(Read reading) -> decltype(reading(std::declval<Session&>())) {
    if (const std::unique_lock hold(writer_.mutex, std::try_to_lock); hold.owns_lock())
      return reading(*writer_.session);
    const std::scoped_lock hold(reader_.mutex);
    if (!reader_.session) {
      TRY(auto connection, Connection::open(path_, Connection::OnClose::kKeepLog));
      reader_.session.emplace(std::move(connection));
    }
    return reading(*reader_.session);
  }

  // The log is merged before each slice of the reserve is freed, because the room in the log itself
  // is mostly enough. The loop goes on because another process may take a freed slice.
  Result<CommitResult> commit_on_full_disk(const Txn& txn, Result<CommitResult> done) {
    Session& session = *writer_.session;
    TRY(const bool frees, txn.deletes.empty() ? session.adds_nothing(txn) : Result<bool>(true));
    if (!frees) return done;
    do {
      session.merge_log();
      done = session.commit(txn, options_.remembered);
    } while (!done && done.error().code == Code::kExhausted && reserve_.give());
    return done;
  }

  void keep_reserve(const std::stop_token& stop) {
    std::mutex mutex;
    std::condition_variable_any wake;
    std::unique_lock hold(mutex);
    while (!stop.stop_requested()) {
      reserve_.fill();
      wake.wait_for(hold, stop, options_.reserve_period, [] { return false; });
    }
  }

  std::string path_;
  SqliteOptions options_;
  Reserve reserve_;
  Seat writer_;
  Seat reader_;
  std::shared_ptr<CommitSignal> signal_ = std::make_shared<CommitSignal>();
  std::jthread keeper_;
};

// The watch's own connection never writes, so its data version changes with every commit of anyone.
class CommitReader {
 public:
  explicit CommitReader(std::unique_ptr<Connection> connection) : session_(std::move(connection)) {}

  Result<std::int64_t> forgotten() { return session_.forgotten(); }

  Result<std::vector<CommitEvents>> operator()(std::int64_t after) {
    TRY(const auto version, session_.data_version());
    if (version == version_) return std::vector<CommitEvents>();
    TRY(auto commits, session_.commits_after(after));
    version_ = version;
    return commits;
  }

 private:
  Session session_;
  std::int64_t version_ = -1;
};

Result<std::unique_ptr<Watch>> SqliteStore::watch(
    std::string_view prefix, std::int64_t after,
    std::function<void(const std::vector<Event>&)> on_events) {
  TRY(auto connection, Connection::open(path_, Connection::OnClose::kKeepLog));
  auto reader = std::make_shared<CommitReader>(std::move(connection));
  TRY(const auto forgotten, reader->forgotten());
  if (after < forgotten)
    return fail(
        Code::kConflict,
        "the changes after revision {} are forgotten (known are those after {}); list again", after,
        forgotten);
  return std::make_unique<FeedWatch>(
      FeedWatch::Options{std::string(prefix), after, options_.watch_period}, signal_,
      [reader](std::int64_t seen) { return (*reader)(seen); }, std::move(on_events));
}

Result<std::unique_ptr<Connection>> open_checked(const std::string& path) {
  TRY(auto connection, Connection::open(path, Connection::OnClose::kKeepLog));
  TRY_STATUS(check_format(*connection));
  return connection;
}

}  // namespace

// The index of the log is made anew by the first process that opens the database, and that takes 32
// KiB.
Result<std::unique_ptr<Store>> open_sqlite_store(const std::string& path, SqliteOptions options) {
  if (::access(path.c_str(), F_OK) != 0) TRY_STATUS(create_database(path));
  const Reserve reserve(path);
  auto connection = open_checked(path);
  while (!connection && connection.error().code == Code::kExhausted && reserve.give())
    connection = open_checked(path);
  if (!connection) return fail(connection.error());
  reserve.fill();
  return std::make_unique<SqliteStore>(path, options, std::move(*connection));
}

}  // namespace fairlead::state
