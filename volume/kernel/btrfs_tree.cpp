#include "volume/kernel/btrfs_tree.h"

#include <fcntl.h>
#include <linux/btrfs.h>
#include <linux/btrfs_tree.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <future>
#include <optional>
#include <set>
#include <span>
#include <utility>

#include "base/fault.h"
#include "base/text.h"
#include "volume/kernel/btrfs_quota.h"
#include "volume/kernel/file_flags.h"
#include "volume/kernel/remove_tree.h"

namespace fairlead::volume::btrfs {

namespace {

constexpr const char* kStaging = "taking";  // in the place; holds a folder for each subvolume
constexpr const char* kCopy = "s";          // in each of those
// An attribute of the top folder of a read-only tree: the ids (64 bits each, of this host's order)
// of the subvolumes inside that were read-only before the whole tree was.
constexpr const char* kSealed = "trusted.fairlead.sealed";
constexpr std::size_t kAtOnce = 128;
constexpr int kMostAttempts = 8, kMostRounds = 12;

// Retried: what was seen a moment ago is different now.
tl::unexpected<Error> changed() {
  return fail(Error{Code::kConflict, ESTALE,
                    "subvolumes inside are being created, removed or written all the time; try "
                    "again"});
}
bool is_changed(const Error& error) { return error.sys_errno == ESTALE; }

Result<btrfs_ioctl_get_subvol_info_args> info_of(int subvolume) {
  btrfs_ioctl_get_subvol_info_args info{};
  // it returns 1 for most subvolumes
  const int got = ::ioctl(subvolume, BTRFS_IOC_GET_SUBVOL_INFO, &info);
  if (got < 0 && errno == ENOENT) return changed();  // it is gone
  if (got < 0) return fail_errno(errno, "ask about a subvolume");
  return info;
}

// --- which of those inside are read-only by themselves

using Ids = std::vector<std::uint64_t>;

Result<std::optional<Ids>> read_sealed(int top) {
  Ids ids(kMostInTree);
  const ssize_t size = ::fgetxattr(top, kSealed, ids.data(), ids.size() * sizeof ids[0]);
  if (size < 0 && errno == ENODATA) return std::nullopt;
  if (size < 0) return fail_errno(errno, "read which subvolumes inside were read-only");
  ids.resize(static_cast<std::size_t>(size) / sizeof ids[0]);
  return ids;
}

Status write_sealed(int top, const Ids& ids) {
  if (::fsetxattr(top, kSealed, ids.data(), ids.size() * sizeof ids[0], 0) == 0) return {};
  return fail_errno(errno, "note which subvolumes inside were read-only");
}

// Several at once, because the kernel commits a transaction for each, or for those that come
// together.
Status make_read_only(std::span<const int> subvolumes) {
  Status all;
  for (std::size_t from = 0; from < subvolumes.size(); from += kAtOnce) {
    std::vector<std::future<Status>> working;
    for (const int one : subvolumes.subspan(from, std::min(kAtOnce, subvolumes.size() - from)))
      working.push_back(std::async(std::launch::async, [one] { return set_read_only(one, true); }));
    for (auto& work : working)
      if (auto done = work.get(); !done && all) all = std::move(done);
  }
  return all;
}

// --- the subvolumes of a tree

struct Source {
  std::uint64_t id = 0;
  std::string path;  // from the top; empty: the top itself
  UniqueFd fd;
  bool read_only = false;  // by itself
};

Result<UniqueFd> open_inner(int top, const InnerSubvolume& inner) {
  auto fd = open_beneath(top, inner.path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, RESOLVE_NO_XDEV);
  if (!fd && fd.error().sys_errno == EXDEV)
    return fail(Code::kInUse, "something is mounted at the subvolume \"{}\" inside; unmount it",
                shown(inner.path));
  if (!fd) return changed();
  const auto id =
      is_subvolume(fd->get()).value_or(false) ? id_of(fd->get()) : Result<std::uint64_t>(0);
  if (!id || *id != inner.id) return changed();
  return fd;
}

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

// --- taking

// The work of one call: at first all of the subvolumes are taken, then only those that
// were changed meanwhile.
class TreeSnapshot {
 public:
  TreeSnapshot(const Folder& top, const Folder& place, std::string name, Writable writable)
      : top_(top), place_(place), name_(std::move(name)), writable_(writable) {}
  Status run();

 private:
  struct Copy {
    UniqueFd fd;
    std::uint64_t at = 0;  // the transaction that made it
  };

  Status attempt();
  Status open_sources(const std::vector<InnerSubvolume>& inner);
  Status take_all();
  Status take_some(std::span<const std::size_t> which);
  Result<Copy> take(std::size_t which) const;
  Result<std::vector<std::size_t>> find_changed() const;
  Status join(std::size_t which);
  Status finish_inside();
  Status publish();
  Result<Folder> folder_of(std::size_t which) const {
    return staging_->folder(std::to_string(which));
  }

  const Folder& top_;
  const Folder& place_;
  std::string name_;
  Writable writable_;
  std::optional<Folder> staging_;
  std::vector<Source> sources_;  // the top first, and each before those inside it
  std::vector<Copy> copies_;     // in the same order
};

Status TreeSnapshot::open_sources(const std::vector<InnerSubvolume>& inner) {
  sources_.clear();
  copies_.clear();
  UniqueFd again(::fcntl(top_.fd(), F_DUPFD_CLOEXEC, 0));
  if (!again) return fail_errno(errno, "hold a subvolume");
  TRY(const auto top_info, info_of(top_.fd()));
  Ids sealed;
  const bool is_sealed = (top_info.flags & BTRFS_ROOT_SUBVOL_RDONLY) != 0;
  if (is_sealed) {
    TRY(const auto ids, read_sealed(top_.fd()));
    if (ids) sealed = *ids;
  }
  sources_.push_back({.id = top_info.treeid, .path = {}, .fd = std::move(again)});
  for (const InnerSubvolume& one : inner) {
    TRY(auto fd, open_inner(top_.fd(), one));
    TRY(const auto info, info_of(fd.get()));
    const bool own = is_sealed ? std::ranges::find(sealed, one.id) != sealed.end()
                               : (info.flags & BTRFS_ROOT_SUBVOL_RDONLY) != 0;
    sources_.push_back({.id = one.id, .path = one.path, .fd = std::move(fd), .read_only = own});
  }
  copies_.resize(sources_.size());
  return {};
}

// Each copy has a folder of its own, because the kernel holds the folder while it makes a snapshot:
// in one folder no two could be of the same transaction.
Result<TreeSnapshot::Copy> TreeSnapshot::take(std::size_t which) const {
  TRY(const auto folder, staging_->ensure_folder(std::to_string(which), 0700));
  btrfs_ioctl_vol_args_v2 args{};
  args.fd = sources_[which].fd.get();
  std::memcpy(args.name, kCopy, std::strlen(kCopy));
  const bool made = ::ioctl(folder.fd(), BTRFS_IOC_SNAP_CREATE_V2, &args) == 0;
  if (!made && errno == ENOENT) return changed();  // the source is gone
  if (!made)
    return fail_errno(
        errno, fmt::format("make a snapshot of the subvolume \"{}\"", shown(sources_[which].path)));
  TRY(auto fd, open_beneath(folder.fd(), kCopy, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  TRY(const auto info, info_of(fd.get()));
  return Copy{.fd = std::move(fd), .at = info.otransid};
}

Status TreeSnapshot::take_some(std::span<const std::size_t> which) {
  std::vector<std::future<Result<Copy>>> working;
  for (const std::size_t one : which)
    working.push_back(std::async(std::launch::async, [this, one] { return take(one); }));
  Status all;
  for (std::size_t k = 0; k < which.size(); ++k) {
    auto made = working[k].get();
    if (made)
      copies_[which[k]] = std::move(*made);
    else if (all)
      all = fail(made.error());
  }
  return all;
}

// Those whose source was changed after their transaction and, perhaps, before the last one.
Result<std::vector<std::size_t>> TreeSnapshot::find_changed() const {
  std::uint64_t last = 0;
  for (const Copy& copy : copies_) last = std::max(last, copy.at);
  std::vector<std::size_t> found;
  for (std::size_t k = 0; k < sources_.size(); ++k) {
    if (copies_[k].at == last) continue;
    TRY(const auto now, info_of(sources_[k].fd.get()));
    if (now.ctransid > copies_[k].at) found.push_back(k);
  }
  return found;
}

Status TreeSnapshot::take_all() {
  std::vector<std::size_t> missing(sources_.size());
  for (std::size_t k = 0; k < missing.size(); ++k) missing[k] = k;
  for (int round = 0; round < kMostRounds; ++round) {
    for (std::size_t from = 0; from < missing.size(); from += kAtOnce)
      TRY_STATUS(
          take_some(std::span(missing).subspan(from, std::min(kAtOnce, missing.size() - from))));
    TRY(missing, find_changed());
    if (missing.empty()) return {};
    for (const std::size_t one : missing) {
      TRY(const auto folder, folder_of(one));
      TRY_STATUS(destroy(folder.fd(), kCopy));
    }
  }
  return changed();
}

// --- joining

// The folder and the name of a path.
std::pair<std::string, std::string> split(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return {".", path};
  return {path.substr(0, slash), path.substr(slash + 1)};
}

// Moves the copy to where the copy of the outer one has a placeholder. The folder there keeps its
// times and its flags.
Status TreeSnapshot::join(std::size_t which) {
  const auto [way, name] = split(sources_[which].path);
  auto parent = open_beneath(copies_[0].fd.get(), way, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  struct stat folder {
  }, entry{};
  if (!parent || ::fstat(parent->get(), &folder) != 0 ||
      ::fstatat(parent->get(), name.c_str(), &entry, AT_SYMLINK_NOFOLLOW) != 0 ||
      !is_hollow(entry.st_ino))
    return changed();
  const std::uint32_t seals = flags_of(parent->get()) & kSealingFlags;
  if (seals != 0) TRY_STATUS(drop_flags(parent->get(), seals));
  if (::unlinkat(parent->get(), name.c_str(), AT_REMOVEDIR) != 0)
    return fail_errno(errno, fmt::format("remove the placeholder of \"{}\"", shown(name)));
  TRY(const auto staged, folder_of(which));
  if (::renameat2(staged.fd(), kCopy, parent->get(), name.c_str(), RENAME_NOREPLACE) != 0)
    return fail_errno(errno, fmt::format("move the subvolume \"{}\" into place", shown(name)));
  const timespec times[2] = {folder.st_atim, folder.st_mtim};
  if (::futimens(parent->get(), times) != 0)
    return fail_errno(errno, fmt::format("set the times of the folder of \"{}\"", shown(name)));
  return seals == 0 ? Status() : add_flags(parent->get(), seals);
}

// Makes those inside read-only that are to be so.
Status TreeSnapshot::finish_inside() {
  const bool all = writable_ == Writable::kNo;
  Ids sealed;
  for (std::size_t k = 1; k < sources_.size(); ++k) {
    if (!sources_[k].read_only) continue;
    TRY(const auto id, id_of(copies_[k].fd.get()));
    sealed.push_back(id);
  }
  const int top = copies_[0].fd.get();
  if (all)
    TRY_STATUS(write_sealed(top, sealed));
  else if (::fremovexattr(top, kSealed) != 0 && errno != ENODATA)
    return fail_errno(errno, "take a mark from a copy");
  std::vector<int> inside;
  for (std::size_t k = 1; k < sources_.size(); ++k)
    if (all || sources_[k].read_only) inside.push_back(copies_[k].fd.get());
  return make_read_only(inside);
}

// A subvolume that is read-only cannot be moved to another folder.
Status TreeSnapshot::publish() {
  TRY(const auto staged, folder_of(0));
  TRY_STATUS(staged.rename(kCopy, place_, name_));
  fault_point("volume.tree-snapshot.renamed");
  if (writable_ == Writable::kNo) TRY_STATUS(set_read_only(copies_[0].fd.get(), true));
  return {};
}

Status TreeSnapshot::attempt() {
  TRY_STATUS(forget_tree_snapshot(place_));
  TRY(auto staging, place_.make_folder(kStaging, 0700));
  staging_.emplace(std::move(staging));
  TRY(const auto inner, list_inner(top_.fd()));
  TRY_STATUS(open_sources(inner));
  TRY_STATUS(flush(top_.fd()));
  TRY_STATUS(take_all());
  fault_point("volume.tree-snapshot.taken");
  TRY(const auto still, list_inner(top_.fd()));
  if (!is_same(still, sources_)) return changed();
  for (std::size_t k = 1; k < sources_.size(); ++k) TRY_STATUS(join(k));
  fault_point("volume.tree-snapshot.joined");
  TRY_STATUS(finish_inside());
  return publish();
}

Status TreeSnapshot::run() {
  TRY(const auto kind, quota_kind(top_.fd()));
  if (kind == QuotaKind::kFull)
    return fail(Code::kUnsupported,
                "it has subvolumes inside, and this file system has full quotas: it would count "
                "each copy against the limit of its source; use simple quotas (kernel 6.7)");
  Status done;
  for (int k = 0; k < kMostAttempts; ++k) {
    done = attempt();
    if (done || !is_changed(done.error())) break;
  }
  copies_.clear();
  const auto cleared = forget_tree_snapshot(place_);
  if (!done) return done;
  TRY_STATUS(cleared);
  return flush(place_.fd());
}

}  // namespace

Status snapshot_tree(const Folder& source, const Folder& place, const std::string& name,
                     Writable writable) {
  return TreeSnapshot(source, place, name, writable).run();
}

Status forget_tree_snapshot(const Folder& place) { return remove_tree(place, kStaging); }

// --- sealing

Status seal_tree(const Folder& top) {
  TRY(const auto id, id_of(top.fd()));
  TRY(const auto inner, inner_subvolumes(top.fd(), id, kMostInTree + 1));
  std::vector<UniqueFd> opened;
  Ids sealed;
  for (const InnerSubvolume& one : inner) {
    TRY(auto fd, open_inner(top.fd(), one));
    TRY(const auto info, info_of(fd.get()));
    if ((info.flags & BTRFS_ROOT_SUBVOL_RDONLY) != 0) sealed.push_back(one.id);
    opened.push_back(std::move(fd));
  }
  TRY(const auto known, read_sealed(top.fd()));
  // Noted before the first of them is sealed; after a crash the note is the truth.
  if (!known && !sealed.empty() && sealed.size() <= kMostInTree)
    TRY_STATUS(write_sealed(top.fd(), sealed));
  else if (!known && !inner.empty())
    TRY_STATUS(write_sealed(top.fd(), {}));
  std::vector<int> inside;
  for (const UniqueFd& fd : opened) inside.push_back(fd.get());
  TRY_STATUS(make_read_only(inside));
  return set_read_only(top.fd(), true);
}

namespace {

// The paths of those that hold others.
std::set<std::string> outer_ones(const std::vector<InnerSubvolume>& inner) {
  std::set<std::string_view> paths;
  for (const InnerSubvolume& one : inner) paths.insert(one.path);
  std::set<std::string> found;
  for (const InnerSubvolume& one : inner) {
    std::string_view way = one.path;
    for (std::size_t slash = way.rfind('/'); slash != way.npos; slash = way.rfind('/')) {
      way = way.substr(0, slash);
      if (!paths.contains(way)) continue;
      found.emplace(way);
      break;
    }
  }
  return found;
}

}  // namespace

void destroy_inner(int subvolume) {
  const auto id = id_of(subvolume);
  if (!id) return;
  const auto inner = inner_subvolumes(subvolume, *id, SIZE_MAX);
  if (!inner) return;
  (void)set_read_only(subvolume, false);
  const auto open_folder = [&](const std::string& way) {
    return open_beneath(subvolume, way, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, RESOLVE_NO_XDEV);
  };
  // One can be removed only from another one that is writable. Making it so is what takes time, and
  // most hold no others.
  for (const std::string& outer : outer_ones(*inner))
    if (const auto fd = open_folder(outer); fd && is_subvolume(fd->get()).value_or(false))
      (void)set_read_only(fd->get(), false);
  for (auto one = inner->rbegin(); one != inner->rend(); ++one) {
    const auto [way, name] = split(one->path);
    if (const auto parent = open_folder(way)) (void)destroy(parent->get(), name);
  }
}

}  // namespace fairlead::volume::btrfs
