#include "volume/service/local_storage.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <deque>
#include <mutex>
#include <optional>
#include <set>

#include "base/hash.h"
#include "base/host.h"
#include "base/json/fields.h"
#include "base/text.h"
#include "volume/kernel/folder.h"
#include "volume/kernel/process_id.h"
#include "volume/kernel/remove_tree.h"

namespace fairlead::volume {

namespace {

constexpr std::size_t kMostUnflushed = 32;            // files that are open until the next sync()
constexpr std::size_t kWriteBack = 4U << 20;          // bytes after which the disk begins to write
constexpr const char *kLock = "lock", *kTmp = "tmp";  // see local_storage.h

// ---- what the lock file says

// (Not "Holder": g++ 12 takes tables of fields of equally named structs of two files for one.)
struct LocalHolder {
  std::string verb, host;  // host: empty in what older versions wrote
  std::int64_t pid = 0, since = 0;
};
constexpr auto kHolder = json::fields(
    json::required<&LocalHolder::verb>("verb"), json::sparse<&LocalHolder::host>("host"),
    json::required<&LocalHolder::pid>("pid"), json::required<&LocalHolder::since>("since"));

std::optional<LocalHolder> read_holder(int lock) {
  char text[1024];
  const ssize_t got = ::pread(lock, text, sizeof text, 0);
  if (got <= 0) return std::nullopt;
  const auto document = json::parse(std::string_view(text, static_cast<std::size_t>(got)));
  if (!document) return std::nullopt;
  auto holder = json::read(*document, kHolder);
  return holder ? std::optional(std::move(*holder)) : std::nullopt;
}

// It is for messages only, so a failure (a full disk) does no harm.
void write_holder(int lock, const std::string& verb) {
  const LocalHolder self{verb, host_name(), ::getpid(), unix_time()};
  const std::string text = json::dump(json::write(self, kHolder)) + "\n";
  if (::ftruncate(lock, 0) == 0) [[maybe_unused]]
    const ssize_t put = ::pwrite(lock, text.data(), text.size(), 0);
}

// The note in the file is a writer's: where readers are let in, they are who has the lock.
std::string told_holder(int lock) {
  const bool is_read = ::flock(lock, LOCK_SH | LOCK_NB) == 0;
  if (is_read) ::flock(lock, LOCK_UN);
  const auto holder = is_read ? std::nullopt : read_holder(lock);
  if (!holder) return is_read ? "a restore, a verify or a list" : "another backup";
  return fmt::format("{}{}{} (process {}, since {} seconds)", shown(holder->verb),
                     holder->host.empty() ? "" : " on ", shown(holder->host), holder->pid,
                     std::max<std::int64_t>(0, unix_time() - holder->since));
}

Status lock_file(int lock, BackupStorage::Use use, const std::string& path) {
  const int how = use == BackupStorage::Use::kWrite ? LOCK_EX : LOCK_SH;
  if (::flock(lock, how | LOCK_NB) == 0) return {};
  if (errno == EWOULDBLOCK)
    return fail(Code::kUnavailable,
                "the backup folder {} is in use by {}; try again when it has ended", path,
                told_holder(lock));
  return fail_errno(errno, fmt::format("lock the backup folder {}", path));
}

class LocalLock : public BackupStorage::Lock {
 public:
  explicit LocalLock(UniqueFd file) : file_(std::move(file)) {}
  Status check() override { return {}; }  // held until the process ends

 private:
  UniqueFd file_;
};

// ---- files

// Opens a file for reading, never what is no file: opening a FIFO would wait for its other end.
Result<UniqueFd> open_regular(const Folder& folder, const std::string& name, std::uint64_t& size) {
  TRY(auto file, open_beneath(folder.fd(), name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY));
  struct stat info {};
  if (::fstat(file.get(), &info) != 0 || !S_ISREG(info.st_mode))
    return fail(Code::kInvalid, "open {}/{}: it is not a regular file", folder.path(), name);
  size = static_cast<std::uint64_t>(info.st_size);
  return file;
}

class LocalReader : public BackupReader {
 public:
  LocalReader(UniqueFd file, std::uint64_t size, std::string name)
      : file_(std::move(file)), size_(size), name_(std::move(name)) {
    // Twice the kernel's read-ahead: what is read is read from its beginning to its end.
    ::posix_fadvise(file_.get(), 0, 0, POSIX_FADV_SEQUENTIAL);
  }
  std::uint64_t size() const override { return size_; }
  Status read(std::span<const BackupRange> ranges) override {
    for (const BackupRange& range : ranges) TRY_STATUS(fill(range.offset, range.into));
    return {};
  }

 private:
  Status fill(std::uint64_t offset, std::span<char> into) const {
    while (!into.empty()) {
      const ssize_t got =
          ::pread(file_.get(), into.data(), into.size(), static_cast<off_t>(offset));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return fail_errno(errno, fmt::format("read {}", name_));
      if (got == 0) return fail(Code::kInvalid, "{} is cut off", name_);
      offset += static_cast<std::uint64_t>(got);
      into = into.subspan(static_cast<std::size_t>(got));
    }
    return {};
  }

  UniqueFd file_;
  std::uint64_t size_;
  std::string name_;
};

Status flush_file(int file, const std::string& name) {
  while (::fsync(file) != 0)
    if (errno != EINTR) return fail_errno(errno, fmt::format("flush {}", name));
  return {};
}

struct Unflushed {
  UniqueFd file;
  std::string name;
};

class LocalStorage : public BackupStorage {
 public:
  explicit LocalStorage(std::string path) : path_(std::move(path)) {}

  std::string name() const override { return path_; }
  Result<std::unique_ptr<Lock>> lock(Use use, const std::string& verb) override;
  Result<std::vector<BackupFile>> list(const std::string& folder) override;
  Result<std::unique_ptr<BackupReader>> open(const std::string& name) override;
  Status prepare() override;
  Result<std::unique_ptr<BackupWriter>> create() override;
  Status remove(const std::string& name) override;
  Status sync() override;

  Status publish(UniqueFd file, const std::string& building, const std::string& name);
  void discard(const std::string& building) { ::unlinkat(tmp_->fd(), building.c_str(), 0); }

 private:
  Result<Folder> folder_of(const std::string& name) const;
  Status flush_oldest(std::size_t left);
  void touch(const std::string& name);

  std::string path_;
  std::optional<Folder> top_, tmp_;  // set by lock() and prepare(), before threads share this
  std::mutex mutex_;
  std::deque<Unflushed> unflushed_;  // published since the last sync()
  std::set<std::string> touched_;    // folders whose names changed since then
};

class LocalWriter : public BackupWriter {
 public:
  LocalWriter(LocalStorage& storage, UniqueFd file, std::string building)
      : storage_(storage), file_(std::move(file)), building_(std::move(building)) {}
  ~LocalWriter() override {
    if (file_) storage_.discard(building_);
  }
  Status append(std::string_view bytes) override;
  Status publish(const std::string& name) override {
    return storage_.publish(std::move(file_), building_, name);
  }

 private:
  LocalStorage& storage_;
  UniqueFd file_;
  std::string building_;
  std::uint64_t size_ = 0, begun_ = 0;  // begun_: up to where the disk was told to write
};

Status LocalWriter::append(std::string_view bytes) {
  size_ += bytes.size();
  while (!bytes.empty()) {
    const ssize_t put = ::write(file_.get(), bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return fail_errno(errno, fmt::format("write into {}", storage_.name()));
    bytes.remove_prefix(static_cast<std::size_t>(put));
  }
  // The disk writes while the next bytes are made, so that the flush at the end is short.
  if (size_ - begun_ >= kWriteBack) {
    ::sync_file_range(file_.get(), static_cast<off_t>(begun_), static_cast<off_t>(size_ - begun_),
                      SYNC_FILE_RANGE_WRITE);
    begun_ = size_;
  }
  return {};
}

Result<std::unique_ptr<BackupStorage::Lock>> LocalStorage::lock(Use use, const std::string& verb) {
  if (use == Use::kRead) {
    TRY(auto top, Folder::open(path_));
    std::uint64_t size = 0;
    auto file = open_regular(top, kLock, size);
    if (file) TRY_STATUS(lock_file(file->get(), use, path_));
    top_.emplace(std::move(top));
    return std::make_unique<LocalLock>(file ? std::move(*file) : UniqueFd());
  }
  TRY(auto top, Folder::ensure(path_, 0700));
  constexpr int kFlags = O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
  UniqueFd file(::openat(top.fd(), kLock, kFlags, 0600));
  if (!file) return fail_errno(errno, fmt::format("open the lock of the backup folder {}", path_));
  struct stat info {};
  if (::fstat(file.get(), &info) != 0 || !S_ISREG(info.st_mode))
    return fail(Code::kInvalid, "{}/lock is not a regular file; take it away", path_);
  TRY_STATUS(lock_file(file.get(), use, path_));
  write_holder(file.get(), verb);
  top_.emplace(std::move(top));
  return std::make_unique<LocalLock>(std::move(file));
}

Result<std::vector<BackupFile>> LocalStorage::list(const std::string& folder) {
  auto listed = top_->folder(folder.empty() ? "." : folder);
  if (!listed && listed.error().code == Code::kNotFound) return std::vector<BackupFile>();
  if (!listed) return fail(listed.error());
  TRY(const auto names, listed->names());
  std::vector<BackupFile> files;
  files.reserve(names.size());
  for (const std::string& name : names) {
    struct stat info {};
    if (::fstatat(listed->fd(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) continue;
    files.push_back({.name = S_ISDIR(info.st_mode) ? name + "/" : name,
                     .size = static_cast<std::uint64_t>(info.st_size)});
  }
  return files;
}

Result<std::unique_ptr<BackupReader>> LocalStorage::open(const std::string& name) {
  std::uint64_t size = 0;
  TRY(auto file, open_regular(*top_, name, size));
  return std::make_unique<LocalReader>(std::move(file), size, name);
}

Status LocalStorage::prepare() {
  for (const char* part : {"packs", "backups"})
    TRY_STATUS(status_of(top_->ensure_folder(part, 0700)));
  TRY(auto tmp, top_->ensure_folder(kTmp, 0700));
  tmp_.emplace(std::move(tmp));
  TRY(const auto names, tmp_->names());
  for (const std::string& name : names) TRY_STATUS(remove_tree(*tmp_, name));
  return top_->sync();
}

Result<std::unique_ptr<BackupWriter>> LocalStorage::create() {
  std::string building = random_hex(32);
  UniqueFd file(::openat(tmp_->fd(), building.c_str(),
                         O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file) return fail_errno(errno, fmt::format("begin a file in {}", tmp_->path()));
  return std::make_unique<LocalWriter>(*this, std::move(file), std::move(building));
}

void LocalStorage::touch(const std::string& name) {
  const std::size_t slash = name.find('/');
  touched_.insert(slash == std::string::npos ? "." : name.substr(0, slash));
}

// The one that the file lies in: never through a link that somebody put in its place.
Result<Folder> LocalStorage::folder_of(const std::string& name) const {
  const std::size_t slash = name.find('/');
  return top_->folder(slash == std::string::npos ? "." : name.substr(0, slash));
}

std::string name_in_folder(const std::string& name) { return name.substr(name.find('/') + 1); }

// Flushes the files that were published first, until no more than `left` wait.
Status LocalStorage::flush_oldest(std::size_t left) {
  for (;;) {
    Unflushed oldest;
    {
      const std::lock_guard guard(mutex_);
      if (unflushed_.size() <= left) return {};
      oldest = std::move(unflushed_.front());
      unflushed_.pop_front();
    }
    TRY_STATUS(flush_file(oldest.file.get(), oldest.name));
  }
}

// Without RENAME_NOREPLACE, which network file systems lack: a pack of this name would have the
// same bytes, and no other file is written twice.
Status LocalStorage::publish(UniqueFd file, const std::string& building, const std::string& name) {
  const bool is_pack = name.starts_with("packs/");
  auto done = is_pack ? Status() : flush_file(file.get(), name);
  const auto folder = folder_of(name);
  if (done && !folder) done = fail(folder.error());
  if (done &&
      ::renameat(tmp_->fd(), building.c_str(), folder->fd(), name_in_folder(name).c_str()) != 0)
    done = fail_errno(errno, fmt::format("publish {}/{}", path_, name));
  if (!done) {
    discard(building);
    return done;
  }
  {
    const std::lock_guard guard(mutex_);
    touch(name);
    if (is_pack) unflushed_.push_back({std::move(file), name});
  }
  return flush_oldest(kMostUnflushed);
}

Status LocalStorage::remove(const std::string& name) {
  TRY(const auto folder, folder_of(name));
  if (::unlinkat(folder.fd(), name_in_folder(name).c_str(), 0) != 0 && errno != ENOENT)
    return fail_errno(errno, fmt::format("remove {}/{}", path_, name));
  const std::lock_guard guard(mutex_);
  touch(name);
  return {};
}

Status LocalStorage::sync() {
  TRY_STATUS(flush_oldest(0));
  std::set<std::string> touched;
  {
    const std::lock_guard guard(mutex_);
    touched.swap(touched_);
  }
  for (const std::string& name : touched) {
    TRY(const auto folder, top_->folder(name));
    TRY_STATUS(folder.sync());
  }
  return {};
}

}  // namespace

std::unique_ptr<BackupStorage> make_local_storage(std::string path) {
  return std::make_unique<LocalStorage>(std::move(path));
}

}  // namespace fairlead::volume
