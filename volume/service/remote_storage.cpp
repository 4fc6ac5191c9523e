#include "volume/service/remote_storage.h"

#include <sys/stat.h>

#include <algorithm>
#include <deque>
#include <set>

#include "base/fault.h"
#include "base/hash.h"
#include "base/text.h"

namespace fairlead::volume {

namespace {

constexpr std::size_t kMostUnfinished = 4;  // files that are sent, but not known to be written
constexpr std::size_t kMostChanges = 256;   // renames and removals under way

class RemoteStorage;

class RemoteWriter : public BackupWriter {
 public:
  RemoteWriter(RemoteStorage& storage, RemoteFile file)
      : storage_(storage), file_(std::move(file)) {}
  ~RemoteWriter() override {
    if (file_) file_->discard();
  }
  Status append(std::string_view bytes) override { return file_->append(bytes); }
  Status publish(const std::string& name) override;

 private:
  RemoteStorage& storage_;
  std::optional<RemoteFile> file_;
};

// What the caller holds. The storage looks at the same lock before it changes anything.
class HeldLock : public BackupStorage::Lock {
 public:
  explicit HeldLock(std::shared_ptr<BackupStorage::Lock> lock) : lock_(std::move(lock)) {}
  Status check() override { return lock_->check(); }

 private:
  std::shared_ptr<BackupStorage::Lock> lock_;
};

class RemoteStorage : public BackupStorage {
 public:
  explicit RemoteStorage(RemotePlace place) : place_(std::move(place)) {}
  ~RemoteStorage() override;

  std::string name() const override { return place_.name; }
  Result<std::unique_ptr<Lock>> lock(Use use, const std::string& verb) override;
  Result<std::vector<BackupFile>> list(const std::string& folder) override;
  Result<std::unique_ptr<BackupReader>> open(const std::string& name) override;
  Status prepare() override;
  Result<std::unique_ptr<BackupWriter>> create() override;
  Status remove(const std::string& name) override;
  Status sync() override;
  bool is_far() const override { return true; }

  Status publish(RemoteFile file, const std::string& name);

 private:
  struct Unfinished {
    RemoteFile file;
    std::string name;
  };
  struct Change {
    SftpCall call;
    std::string what;
    bool is_removal = false;
  };

  SftpClient& client() { return *place_.data; }
  std::string path(const std::string& name) const {
    return name.empty() && !place_.path.empty() ? place_.path : place_.path + "/" + name;
  }
  Status check_lock();
  Status finish_oldest();
  Status wait_oldest();
  Status settle(std::size_t unfinished, std::size_t changes);
  Status empty_tmp();
  void touch(const std::string& name);
  void sync_folder(const std::string& name);

  RemotePlace place_;
  std::weak_ptr<Lock> lock_;
  std::mutex mutex_;  // what follows
  std::deque<Unfinished> unfinished_;
  std::deque<Change> changes_;
  std::set<std::string> touched_;  // folders whose names changed since the last sync()
  Status failed_;  // of a file that was published: whoever asks next is told, again and again
};

Status RemoteWriter::publish(const std::string& name) {
  RemoteFile file = std::move(*file_);
  file_.reset();
  return storage_.publish(std::move(file), name);
}

RemoteStorage::~RemoteStorage() {
  // What nobody waited for has no name, and shall not lie about.
  for (Unfinished& one : unfinished_) one.file.discard();
}

Result<std::unique_ptr<BackupStorage::Lock>> RemoteStorage::lock(Use use, const std::string& verb) {
  if (use == Use::kWrite) TRY_STATUS(make_remote_folder(*place_.locks, path("")));
  auto lock = take_remote_lock({.name = place_.name,
                                .path = place_.path,
                                .client = place_.locks,
                                .reconnect = place_.reconnect,
                                .times = place_.times},
                               use, verb);
  if (!lock) return fail(lock.error());
  lock_ = *lock;
  return std::make_unique<HeldLock>(std::move(*lock));
}

Status RemoteStorage::check_lock() {
  const auto lock = lock_.lock();
  return lock ? lock->check() : Status();
}

// --- reading

Result<std::vector<BackupFile>> RemoteStorage::list(const std::string& folder) {
  {
    const std::scoped_lock hold(mutex_);
    TRY_STATUS(settle(0, 0));
  }
  TRY(const auto entries, list_remote(client(), path(folder)));
  std::vector<BackupFile> files;
  files.reserve(entries.size());
  for (const sftp::Entry& entry : entries) {
    const bool is_folder = entry.attributes.mode && S_ISDIR(*entry.attributes.mode);
    files.push_back({.name = is_folder ? entry.name + "/" : entry.name,
                     .size = entry.attributes.size.value_or(0)});
  }
  return files;
}

Result<std::unique_ptr<BackupReader>> RemoteStorage::open(const std::string& name) {
  {
    const std::scoped_lock hold(mutex_);
    TRY_STATUS(settle(0, 0));
  }
  return open_remote(place_.data, path(name));
}

// --- writing

Status RemoteStorage::empty_tmp() {
  TRY(const auto entries, list_remote(client(), path("tmp")));
  std::deque<SftpCall> calls;
  for (const sftp::Entry& entry : entries) {
    calls.push_back(client().remove(path("tmp/" + entry.name)));
    if (calls.size() < kMostChanges) continue;
    if (const auto removed = client().wait(calls.front(), "empty tmp"); !removed) return removed;
    calls.pop_front();
  }
  for (SftpCall& call : calls) {
    const auto removed = client().wait(call, fmt::format("empty {}/tmp", place_.name));
    if (!removed && removed.error().code != Code::kNotFound) return removed;
  }
  return {};
}

Status RemoteStorage::prepare() {
  for (const char* part : {"packs", "backups", "tmp"})
    TRY_STATUS(make_remote_folder(client(), path(part)));
  TRY_STATUS(empty_tmp());
  sync_folder("");
  return {};
}

Result<std::unique_ptr<BackupWriter>> RemoteStorage::create() {
  {
    const std::scoped_lock hold(mutex_);
    if (!failed_) return fail(failed_.error());
  }
  TRY(auto file, RemoteFile::create(place_.data, path("tmp/" + random_hex(32))));
  return std::make_unique<RemoteWriter>(*this, std::move(file));
}

void RemoteStorage::touch(const std::string& name) {
  const std::size_t slash = name.find('/');
  touched_.insert(slash == std::string::npos ? "" : name.substr(0, slash));
}

// Waits until the server has all of it, and lets it be renamed.
Status RemoteStorage::finish_oldest() {
  Unfinished oldest = std::move(unfinished_.front());
  unfinished_.pop_front();
  if (const auto finished = oldest.file.finish(); !finished) {
    oldest.file.discard();
    return finished;
  }
  fault_point("remote.file.written");
  TRY_STATUS(check_lock());
  changes_.push_back({.call = client().rename(oldest.file.path(), path(oldest.name)),
                      .what = fmt::format("publish {}/{}", place_.name, oldest.name)});
  return {};
}

Status RemoteStorage::wait_oldest() {
  Change oldest = std::move(changes_.front());
  changes_.pop_front();
  const auto done = client().wait(oldest.call, oldest.what);
  if (done || (oldest.is_removal && done.error().code == Code::kNotFound)) return {};
  return done;
}

// Waits until no more than these are under way. The mutex is held.
Status RemoteStorage::settle(std::size_t unfinished, std::size_t changes) {
  while (failed_ && unfinished_.size() > unfinished) failed_ = finish_oldest();
  while (failed_ && changes_.size() > changes) failed_ = wait_oldest();
  return failed_;
}

Status RemoteStorage::publish(RemoteFile file, const std::string& name) {
  if (const auto ended = file.end(); !ended) {
    file.discard();
    return ended;
  }
  const std::scoped_lock hold(mutex_);
  touch(name);
  unfinished_.push_back({std::move(file), name});
  return settle(kMostUnfinished, kMostChanges);
}

Status RemoteStorage::remove(const std::string& name) {
  TRY_STATUS(check_lock());
  const std::scoped_lock hold(mutex_);
  touch(name);
  changes_.push_back({.call = client().remove(path(name)),
                      .what = fmt::format("remove {}/{}", place_.name, name),
                      .is_removal = true});
  return settle(unfinished_.size(), kMostChanges);
}

// A folder is opened and flushed like a file, which OpenSSH allows. Others flush it by themselves,
// or there is nothing to be done about it.
void RemoteStorage::sync_folder(const std::string& name) {
  if (!client().can_sync()) return;
  const std::string what = fmt::format("flush {}/{}", place_.name, name);
  auto open = client().open(path(name), sftp::Open::kRead);
  const auto handle = client().wait_handle(open, what);
  if (!handle) return;
  auto sync = client().sync(*handle);
  client().close(*handle);
  [[maybe_unused]] const auto done = client().wait(sync, what);
}

Status RemoteStorage::sync() {
  const std::scoped_lock hold(mutex_);
  TRY_STATUS(settle(0, 0));
  for (const std::string& name : touched_) sync_folder(name);
  touched_.clear();
  fault_point("remote.storage.synced");
  return {};
}

}  // namespace

std::unique_ptr<BackupStorage> make_remote_storage(RemotePlace place) {
  if (!place.locks) place.locks = place.data;
  return std::make_unique<RemoteStorage>(std::move(place));
}

}  // namespace fairlead::volume
