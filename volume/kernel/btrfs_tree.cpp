#include "volume/kernel/btrfs_tree.h"

#include <fcntl.h>
#include <linux/btrfs_tree.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <future>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/fault.h"
#include "base/text.h"
#include "volume/kernel/btrfs_quota.h"
#include "volume/kernel/btrfs_seal.h"
#include "volume/kernel/file_flags.h"
#include "volume/kernel/remove_tree.h"

namespace fairlead::volume::btrfs {

namespace {

constexpr const char* kStaging = "taking";  // in the place; holds a folder for each subvolume
constexpr const char* kCopy = "s";          // in each of those
constexpr std::size_t kAtOnce = 128;
constexpr int kMostAttempts = 8;
// On a busy host a round takes long: there are as many as that, and they are tried for this long.
constexpr int kFewestRounds = 24;
constexpr std::chrono::seconds kPatience{10};

struct Source {
  std::uint64_t id = 0;
  std::string path;  // from the top; empty: the top itself
  UniqueFd fd;
  bool read_only = false;  // by itself
};

Result<std::vector<InnerSubvolume>> list_inner(int top) {
  TRY(const auto id, id_of(top));
  TRY(auto inner, inner_subvolumes(top, id, kMostInTree + 1));
  if (inner.size() <= kMostInTree) return inner;
  TRY(const auto all, inner_ids(top, id));
  return fail(Code::kExhausted,
              "it has {} subvolumes inside, and a snapshot takes at most {} along; remove some "
              "(btrfs subvolume delete)",
              all.size(), kMostInTree);
}

bool is_same(const std::vector<InnerSubvolume>& inner, const std::vector<Source>& sources) {
  return std::equal(
      inner.begin(), inner.end(), sources.begin() + 1, sources.end(),
      [](const InnerSubvolume& a, const Source& b) { return a.id == b.id && a.path == b.path; });
}

}  // namespace

// --- taking

void ahead_of_others() { (void)::setpriority(PRIO_PROCESS, 0, -20); }  // of this thread

struct TreeTaking::Work {
  struct Copy {
    UniqueFd fd;           // none: it is to be taken
    std::uint64_t at = 0;  // the transaction that made it
  };

  const Folder& top;
  const Folder& place;
  std::string name;
  Writable writable;
  std::optional<Folder> staging;  // none: the one subvolume is taken under its name
  std::vector<Source> sources;    // the top first, and each before those inside it
  std::vector<Copy> copies;       // in the same order

  Status open();
  Status open_sources(const std::vector<InnerSubvolume>& inner);
  Status stage();
  Status take(std::span<const std::size_t> which);
  Status take_one(std::size_t which);
  Status drop(std::size_t which);
  Status join(std::size_t which);
  Status finish_inside();
  Status publish();
  Result<Folder> folder_of(std::size_t which) const {
    return staging->folder(std::to_string(which));
  }
  const char* name_of_copy() const { return staging ? kCopy : name.c_str(); }
};

Status TreeTaking::Work::open_sources(const std::vector<InnerSubvolume>& inner) {
  UniqueFd again(::fcntl(top.fd(), F_DUPFD_CLOEXEC, 0));
  if (!again) return fail_errno(errno, "hold a subvolume");
  TRY(const auto top_info, info_of(top.fd()));
  Ids sealed;
  const bool is_sealed = (top_info.flags & BTRFS_ROOT_SUBVOL_RDONLY) != 0;
  if (is_sealed) {
    TRY(const auto ids, read_sealed(top.fd()));
    if (ids) sealed = *ids;
  }
  sources.push_back({.id = top_info.treeid, .path = {}, .fd = std::move(again)});
  for (const InnerSubvolume& one : inner) {
    TRY(auto fd, open_inner(top.fd(), one));
    TRY(const auto info, info_of(fd.get()));
    const bool own = is_sealed ? std::ranges::find(sealed, one.id) != sealed.end()
                               : (info.flags & BTRFS_ROOT_SUBVOL_RDONLY) != 0;
    sources.push_back({.id = one.id, .path = one.path, .fd = std::move(fd), .read_only = own});
  }
  copies.resize(sources.size());
  return {};
}

// Each copy has a folder of its own, because the kernel holds the folder while it makes a snapshot:
// in one folder no two could be of the same transaction.
Status TreeTaking::Work::stage() {
  TRY(const auto kind, quota_kind(top.fd()));
  if (kind == QuotaKind::kFull)
    return fail(Code::kUnsupported,
                "it has subvolumes inside, and this file system has full quotas: it would count "
                "each copy against the limit of its source; use simple quotas (kernel 6.7)");
  TRY(auto made, place.make_folder(kStaging, 0700));
  staging.emplace(std::move(made));
  for (std::size_t k = 0; k < sources.size(); ++k)
    TRY_STATUS(status_of(staging->make_folder(std::to_string(k), 0700)));
  return {};
}

Status TreeTaking::Work::open() {
  TRY_STATUS(forget_tree_snapshot(place));
  TRY(const auto inner, list_inner(top.fd()));
  TRY_STATUS(open_sources(inner));
  if (!inner.empty()) TRY_STATUS(stage());
  return flush(top.fd());
}

Status TreeTaking::Work::take_one(std::size_t which) {
  std::optional<Folder> own;
  if (staging) {
    TRY(auto folder, folder_of(which));
    own.emplace(std::move(folder));
  }
  const Folder& folder = own ? *own : place;
  const auto mode = staging ? Writable::kYes : writable;
  if (auto made = snapshot_unflushed(sources[which].fd.get(), folder, name_of_copy(), mode);
      !made) {
    if (made.error().sys_errno == ENOENT) return changed();  // the source is gone
    if (sources[which].path.empty()) return made;
    return fail(with_context(
        made.error(), fmt::format("the subvolume \"{}\" inside", shown(sources[which].path))));
  }
  TRY(copies[which].fd,
      open_beneath(folder.fd(), name_of_copy(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  TRY(const auto info, info_of(copies[which].fd.get()));
  copies[which].at = info.otransid;
  return {};
}

// Side by side, so that they meet in one transaction.
Status TreeTaking::Work::take(std::span<const std::size_t> which) {
  if (which.size() == 1) return take_one(which.front());
  std::vector<std::future<Status>> working;
  for (const std::size_t one : which)
    working.push_back(std::async(std::launch::async, [this, one] {
      ahead_of_others();
      return take_one(one);
    }));
  Status all;
  for (auto& work : working)
    if (auto done = work.get(); !done && all) all = std::move(done);
  return all;
}

Status TreeTaking::Work::drop(std::size_t which) {
  copies[which] = {};
  if (!staging) return destroy(place.fd(), name);
  TRY(const auto folder, folder_of(which));
  return destroy(folder.fd(), kCopy);
}

// --- joining

// Moves the copy to where the copy of the outer one has a placeholder. The folder there keeps its
// times and its flags.
Status TreeTaking::Work::join(std::size_t which) {
  const auto [way, leaf] = split(sources[which].path);
  auto parent = open_beneath(copies[0].fd.get(), way, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  struct stat folder {
  }, entry{};
  if (!parent || ::fstat(parent->get(), &folder) != 0 ||
      ::fstatat(parent->get(), leaf.c_str(), &entry, AT_SYMLINK_NOFOLLOW) != 0 ||
      !is_hollow(entry.st_ino))
    return changed();
  const std::uint32_t seals = flags_of(parent->get()) & kSealingFlags;
  if (seals != 0) TRY_STATUS(drop_flags(parent->get(), seals));
  if (::unlinkat(parent->get(), leaf.c_str(), AT_REMOVEDIR) != 0)
    return fail_errno(errno, fmt::format("remove the placeholder of \"{}\"", shown(leaf)));
  TRY(const auto staged, folder_of(which));
  if (::renameat2(staged.fd(), kCopy, parent->get(), leaf.c_str(), RENAME_NOREPLACE) != 0)
    return fail_errno(errno, fmt::format("move the subvolume \"{}\" into place", shown(leaf)));
  const timespec times[2] = {folder.st_atim, folder.st_mtim};
  if (::futimens(parent->get(), times) != 0)
    return fail_errno(errno, fmt::format("set the times of the folder of \"{}\"", shown(leaf)));
  return seals == 0 ? Status() : add_flags(parent->get(), seals);
}

// Makes those inside read-only that are to be so.
Status TreeTaking::Work::finish_inside() {
  const bool all = writable == Writable::kNo;
  Ids sealed;
  for (std::size_t k = 1; k < sources.size(); ++k) {
    if (!sources[k].read_only) continue;
    TRY(const auto id, id_of(copies[k].fd.get()));
    sealed.push_back(id);
  }
  const int copy = copies[0].fd.get();
  TRY_STATUS(all ? write_sealed(copy, sealed) : drop_sealed(copy));
  std::vector<int> inside;
  for (std::size_t k = 1; k < sources.size(); ++k)
    if (all || sources[k].read_only) inside.push_back(copies[k].fd.get());
  return make_read_only(inside);
}

// A subvolume that is read-only cannot be moved to another folder.
Status TreeTaking::Work::publish() {
  TRY(const auto staged, folder_of(0));
  TRY_STATUS(staged.rename(kCopy, place, name));
  fault_point("volume.tree-snapshot.renamed");
  if (writable == Writable::kNo) TRY_STATUS(set_read_only(copies[0].fd.get(), true));
  copies.clear();
  TRY_STATUS(forget_tree_snapshot(place));
  return flush(place.fd());
}

// --- the steps, as callers see them

TreeTaking::TreeTaking(std::unique_ptr<Work> work) : work_(std::move(work)) {}
TreeTaking::TreeTaking(TreeTaking&&) noexcept = default;
TreeTaking::~TreeTaking() = default;

Result<TreeTaking> TreeTaking::begin(const Folder& source, const Folder& place, std::string name,
                                     Writable writable) {
  auto work = std::unique_ptr<Work>(new Work{.top = source,
                                             .place = place,
                                             .name = std::move(name),
                                             .writable = writable,
                                             .staging = {},
                                             .sources = {},
                                             .copies = {}});
  TRY_STATUS(work->open());
  return TreeTaking(std::move(work));
}

Status TreeTaking::take() {
  std::vector<std::size_t> missing;
  for (std::size_t k = 0; k < work_->copies.size(); ++k)
    if (!work_->copies[k].fd) missing.push_back(k);
  for (std::size_t from = 0; from < missing.size(); from += kAtOnce)
    TRY_STATUS(
        work_->take(std::span(missing).subspan(from, std::min(kAtOnce, missing.size() - from))));
  return {};
}

std::uint64_t TreeTaking::newest() const {
  std::uint64_t newest = 0;
  for (const Work::Copy& copy : work_->copies) newest = std::max(newest, copy.at);
  return newest;
}

// What was written after the snapshot and made last before something in the later transaction, is
// in a transaction that has ended by then, too.
Result<bool> TreeTaking::held_at(std::uint64_t transaction) const {
  for (std::size_t k = 0; k < work_->copies.size(); ++k) {
    const std::uint64_t at = work_->copies[k].at;
    if (at == transaction) continue;
    TRY(const auto source, info_of(work_->sources[k].fd.get()));
    if (at == 0 || source.generation > at) return false;
  }
  return true;
}

Status TreeTaking::take_back() {
  for (std::size_t k = 0; k < work_->copies.size(); ++k) {
    if (!work_->copies[k].fd) continue;
    TRY(const auto source, info_of(work_->sources[k].fd.get()));
    if (std::max(source.ctransid, source.generation) > work_->copies[k].at)
      TRY_STATUS(work_->drop(k));
  }
  return {};
}

void TreeTaking::gather() const { begin_commit(work_->place); }

Status TreeTaking::verify() const {
  if (work_->staging) fault_point("volume.tree-snapshot.taken");
  TRY(const auto still, list_inner(work_->top.fd()));
  return is_same(still, work_->sources) ? Status() : Status(changed());
}

Status TreeTaking::finish() {
  if (!work_->staging) return {};
  for (std::size_t k = 1; k < work_->sources.size(); ++k) TRY_STATUS(work_->join(k));
  fault_point("volume.tree-snapshot.joined");
  TRY_STATUS(work_->finish_inside());
  return work_->publish();
}

Status TreeTaking::undo() {
  if (!work_->staging && !work_->copies.empty() && work_->copies[0].fd) return work_->drop(0);
  work_->copies.clear();
  return forget_tree_snapshot(work_->place);
}

// --- one tree alone

namespace {

Status find_moment(TreeTaking& taking) {
  const auto until = std::chrono::steady_clock::now() + kPatience;
  for (int round = 1;; ++round) {
    TRY_STATUS(taking.take());
    TRY(const bool held, taking.held_at(taking.newest()));
    if (held) return {};
    if (round >= kFewestRounds && std::chrono::steady_clock::now() > until)
      return fail(Code::kConflict,
                  "subvolumes inside are written all the time, and did not come into one moment; "
                  "try again");
    TRY_STATUS(taking.take_back());
    taking.gather();
  }
}

Status attempt(const Folder& source, const Folder& place, const std::string& name,
               Writable writable) {
  TRY(auto taking, TreeTaking::begin(source, place, name, writable));
  const auto run = [&]() -> Status {
    TRY_STATUS(find_moment(taking));
    TRY_STATUS(taking.verify());
    return taking.finish();
  };
  auto done = run();
  if (!done)
    if (const auto undone = taking.undo(); !undone) return undone;
  return done;
}

}  // namespace

Status snapshot_tree(const Folder& source, const Folder& place, const std::string& name,
                     Writable writable) {
  Status done;
  for (int k = 0; k < kMostAttempts; ++k) {
    done = attempt(source, place, name, writable);
    if (done || !is_changed(done.error())) break;
  }
  if (!done) (void)forget_tree_snapshot(place);
  return done;
}

Status forget_tree_snapshot(const Folder& place) { return remove_tree(place, kStaging); }

}  // namespace fairlead::volume::btrfs
