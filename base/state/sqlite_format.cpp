#include "base/state/sqlite_format.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>

#include "base/fault.h"
#include "base/log.h"
#include "base/unique_fd.h"

namespace fairlead::state {

namespace {

// kMigrations[n] leads from version n to n + 1.
constexpr std::array<const char*, kFormatVersion> kMigrations{
    R"(CREATE TABLE record(key TEXT PRIMARY KEY, value TEXT NOT NULL, revision INTEGER NOT NULL) WITHOUT ROWID;
       CREATE TABLE change(id INTEGER PRIMARY KEY, key TEXT NOT NULL, value TEXT);)",
    // What is remembered has no values from before, so it is of no use to who goes on after it.
    R"(ALTER TABLE change ADD COLUMN before TEXT;
       ALTER TABLE change ADD COLUMN time INTEGER NOT NULL DEFAULT 0;
       DELETE FROM change WHERE id < (SELECT max(id) FROM change) / 65536 * 65536;)",
};

Status run_steps(Connection& connection, std::int64_t version) {
  for (auto step = version; step < kFormatVersion; ++step)
    TRY_STATUS(connection.exec(kMigrations[static_cast<std::size_t>(step)]));
  return connection.exec(fmt::format("PRAGMA user_version={}", kFormatVersion).c_str());
}

// Written under another name first. A connection of its own reads what is committed, beside the
// lock for writing that the caller holds.
Status write_copy(const std::string& path, const std::string& copy) {
  const std::string fresh = copy + ".new";
  ::unlink(fresh.c_str());
  const UniqueFd made(::open(fresh.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!made) return fail_errno(errno, fmt::format("create {}", fresh));
  TRY(auto reading, Connection::open(path, Connection::OnClose::kKeepLog));
  Statement vacuum("VACUUM INTO ?1");
  TRY(auto run, reading->run(vacuum));
  TRY([[maybe_unused]] const bool row, run.bind(1, fresh).step());
  if (::fsync(made.get()) != 0) return fail_errno(errno, fmt::format("write {}", fresh));
  fault_point("state.migrate.copied");
  if (::rename(fresh.c_str(), copy.c_str()) != 0)
    return fail_errno(errno, fmt::format("create {}", copy));
  return {};
}

Status keep_copy(const std::string& path, std::int64_t version) {
  const std::string copy = copy_of_format(path, version);
  if (const Status written = write_copy(path, copy); !written) {
    ::unlink((copy + ".new").c_str());
    return fail(
        written.error().code,
        "keep a copy of the state database {} before it is brought from format {} to {}: {}", path,
        version, kFormatVersion, written.error().text);
  }
  log::info("the state database is brought to a newer format; a copy is kept",
            {{"from", version}, {"to", kFormatVersion}, {"copy", copy}});
  return {};
}

Status migrate_within(Connection& connection) {
  TRY(const auto version, connection.number("PRAGMA user_version"));
  if (version >= kFormatVersion) return {};
  if (version > 0) TRY_STATUS(keep_copy(connection.path(), version));
  return run_steps(connection, version);
}

// Several processes may find the same old format: the lock is taken first, and the version read
// under it.
Status migrate(Connection& connection) {
  TRY_STATUS(connection.exec("PRAGMA synchronous=FULL; BEGIN IMMEDIATE"));
  if (auto done = migrate_within(connection); !done) {
    if (connection.in_transaction()) static_cast<void>(connection.exec("ROLLBACK"));
    return done;
  }
  return connection.exec("COMMIT");
}

Status make_folder(const std::filesystem::path& folder) {
  if (folder.empty() || std::filesystem::is_directory(folder)) return {};
  std::error_code error;
  if (folder.has_parent_path()) std::filesystem::create_directories(folder.parent_path(), error);
  if (!error && ::mkdir(folder.c_str(), 0700) == 0) return {};
  const int cause = error ? error.value() : errno;
  if (cause == EEXIST && std::filesystem::is_directory(folder, error)) return {};
  return fail_errno(cause, fmt::format("create the state folder {}", folder.string()));
}

void remove_leftovers(const std::string& path) {
  for (const char* suffix : {"", "-journal", "-wal", "-shm"}) ::unlink((path + suffix).c_str());
}

// Write-ahead logging is switched on last: until then every change is in the file itself, or an
// error was reported.
Status build(const std::string& path) {
  const UniqueFd made(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!made) return fail_errno(errno, fmt::format("create the state database {}", path));
  TRY(auto connection, Connection::open(path, Connection::OnClose::kMergeLog));
  TRY_STATUS(connection->exec(fmt::format("PRAGMA application_id={}", kApplicationId).c_str()));
  TRY_STATUS(migrate(*connection));
  TRY(const auto mode, connection->text("PRAGMA journal_mode=WAL"));
  if (mode != "wal")
    return fail(
        Code::kIo,
        "create the state database {}: its file system does not support write-ahead logging", path);
  return {};
}

// On btrfs an overwrite needs new space. SQLite maps the index of the log into memory, where a full
// disk is no error but SIGBUS, and the log is what has to be written there. Both are made without
// copying on write before SQLite does; the log has checksums of its own. Other file systems know no
// such flag.
void make_log_in_place(const std::string& path) {
  for (const char* suffix : {"-wal", "-shm"}) {
    const UniqueFd made(
        ::open((path + suffix).c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
    int flags = 0;
    if (!made || ::ioctl(made.get(), FS_IOC_GETFLAGS, &flags) != 0) continue;
    flags |= FS_NOCOW_FL;
    static_cast<void>(::ioctl(made.get(), FS_IOC_SETFLAGS, &flags));
  }
}

}  // namespace

std::string copy_of_format(const std::string& path, std::int64_t version) {
  return fmt::format("{}.format-{}", path, version);
}

Status create_database(const std::string& path) {
  const auto parent = std::filesystem::path(path).parent_path();
  TRY_STATUS(make_folder(parent));
  const std::string folder = parent.empty() ? "." : parent.string();
  const UniqueFd lock(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!lock) return fail_errno(errno, fmt::format("open the state folder {}", folder));
  while (::flock(lock.get(), LOCK_EX) != 0)
    if (errno != EINTR) return fail_errno(errno, fmt::format("lock the state folder {}", folder));
  if (::access(path.c_str(), F_OK) == 0) return {};

  const std::string fresh = path + ".new";
  remove_leftovers(fresh);
  if (auto built = build(fresh); !built) {
    remove_leftovers(fresh);
    return built;
  }
  // A log without its database is of one that somebody removed; SQLite would play it into this one.
  remove_leftovers(path);
  make_log_in_place(path);
  fault_point("state.create.built");
  if (::rename(fresh.c_str(), path.c_str()) != 0)
    return fail_errno(errno, fmt::format("create the state database {}", path));
  if (::fsync(lock.get()) != 0)
    return fail_errno(errno, fmt::format("sync the state folder {}", folder));
  return {};
}

Status check_format(Connection& connection) {
  TRY(const auto application, connection.number("PRAGMA application_id"));
  if (application != kApplicationId)
    return fail(Code::kIo,
                "use the state database {}: it is not a database of Fairlead's; move {}* away to "
                "start anew",
                connection.path(), connection.path());
  TRY(const auto version, connection.number("PRAGMA user_version"));
  if (version == kFormatVersion) [[likely]]
    return {};
  if (version > kFormatVersion)
    return fail(Code::kUnsupported,
                "use the state database {}: a newer Fairlead wrote it (format {}, this one knows "
                "{}); upgrade, or move "
                "{}* away to start anew",
                connection.path(), version, kFormatVersion, connection.path());
  return migrate(connection);
}

}  // namespace fairlead::state
