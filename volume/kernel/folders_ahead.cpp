#include "volume/kernel/folders_ahead.h"

#include <fcntl.h>
#include <linux/openat2.h>

#include <algorithm>
#include <exception>

#include "volume/kernel/folder.h"

namespace fairlead::volume {

namespace {

// Of a folder that is listed ahead; a statx takes 256 bytes.
constexpr std::size_t kMostEntries = 2048;

std::optional<ListedFolder> list(int parent, const std::string& name) {
  auto fd = open_beneath(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, RESOLVE_NO_XDEV);
  if (!fd) return std::nullopt;
  auto names = FolderNames::of(fd->get(), kMostEntries);
  if (!names) return std::nullopt;
  ListedFolder folder{.fd = std::move(*fd), .names = std::move(*names), .seen = {}};
  folder.seen.resize(folder.names.size());
  for (std::size_t k = 0; k < folder.seen.size(); ++k)
    if (!stat_entry(folder.fd.get(), folder.names[k], folder.seen[k])) folder.seen[k].stx_mask = 0;
  return folder;
}

// A folder may have been exchanged since it was listed.
bool is_same(int folder, const struct statx& info) {
  struct statx now {};
  return ::statx(folder, "", AT_EMPTY_PATH, STATX_INO, &now) == 0 && now.stx_ino == info.stx_ino &&
         now.stx_dev_major == info.stx_dev_major && now.stx_dev_minor == info.stx_dev_minor;
}

}  // namespace

FoldersAhead::~FoldersAhead() {
  {
    const std::lock_guard guard(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
}

void FoldersAhead::ask(const Key& key, int parent, const char* name) {
  UniqueFd own(::fcntl(parent, F_DUPFD_CLOEXEC, 0));
  if (!own) return;
  {
    const std::lock_guard guard(mutex_);
    folders_.push_back({.key = key, .parent = std::move(own), .name = name});
  }
  changed_.notify_all();
  if (!thread_.joinable()) thread_ = std::jthread([this] { run(); });
}

std::optional<ListedFolder> FoldersAhead::take(const Key& key, const struct statx& info) {
  std::list<Ahead> taken;
  {
    std::unique_lock guard(mutex_);
    const auto found = std::ranges::find(folders_, key, &Ahead::key);
    if (found == folders_.end()) return std::nullopt;
    changed_.wait(guard, [&] { return found->state != State::kReading; });
    taken.splice(taken.begin(), folders_, found);
  }
  std::optional<ListedFolder> listed = std::move(taken.front().listed);
  if (listed && !is_same(listed->fd.get(), info)) listed.reset();
  return listed;
}

void FoldersAhead::forget(std::uint64_t level) {
  if (folders_.empty()) return;
  std::list<Ahead> gone;
  std::unique_lock guard(mutex_);
  for (auto at = folders_.begin(); at != folders_.end();) {
    const auto one = at++;
    if (one->key.level != level) continue;
    changed_.wait(guard, [&] { return one->state != State::kReading; });
    gone.splice(gone.begin(), folders_, one);
  }
}

void FoldersAhead::run() {
  const auto next = [this]() -> Ahead* {
    const auto found = std::ranges::find(folders_, State::kAsked, &Ahead::state);
    return found == folders_.end() ? nullptr : &*found;
  };
  for (;;) {
    Ahead* folder = nullptr;
    {
      std::unique_lock guard(mutex_);
      changed_.wait(guard, [&] { return ending_ || (folder = next()) != nullptr; });
      if (ending_) return;
      folder->state = State::kReading;  // nobody takes it away until it is read
    }
    std::optional<ListedFolder> listed;
    try {
      listed = list(folder->parent.get(), folder->name);
    } catch (const std::exception&) {  // no memory: the walk itself will say so
      listed.reset();
    }
    {
      const std::lock_guard guard(mutex_);
      folder->listed = std::move(listed);
      folder->parent.reset();
      folder->state = State::kRead;
    }
    changed_.notify_all();
  }
}

}  // namespace fairlead::volume
