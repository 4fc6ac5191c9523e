#include "volume/kernel/btrfs_seal.h"

#include <fcntl.h>
#include <linux/btrfs_tree.h>
#include <linux/openat2.h>
#include <sys/ioctl.h>
#include <sys/xattr.h>

#include <algorithm>
#include <cerrno>
#include <future>
#include <set>
#include <string_view>
#include <utility>

#include "base/text.h"
#include "volume/kernel/btrfs_tree.h"

namespace fairlead::volume::btrfs {

namespace {

// An attribute of the top folder of a read-only tree: the ids (64 bits each, of this host's order)
// of the subvolumes inside that were read-only before the whole tree was.
constexpr const char* kSealed = "trusted.fairlead.sealed";
constexpr std::size_t kAtOnce = 128;

}  // namespace

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

Status drop_sealed(int top) {
  if (::fremovexattr(top, kSealed) == 0 || errno == ENODATA) return {};
  return fail_errno(errno, "take a mark from a copy");
}

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

std::pair<std::string, std::string> split(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return {".", path};
  return {path.substr(0, slash), path.substr(slash + 1)};
}

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
