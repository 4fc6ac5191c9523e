// What somebody in a container does with subvolumes, and what is left of their limits.
#pragma once

#include <fcntl.h>
#include <grp.h>
#include <linux/btrfs.h>
#include <linux/btrfs_tree.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <set>
#include <string>

#include "tests/volume/scratch.h"
#include "volume/kernel/btrfs_search.h"
#include "volume/kernel/folder.h"

namespace fairlead::volume::testing {

// What `act` returns, done without root and without capabilities by user 1000. It may reach only
// what it holds descriptors of.
template <class Act>
int as_user(Act act) {
  const pid_t child = ::fork();
  if (child == 0) {
    const bool dropped = ::setgroups(0, nullptr) == 0 && ::setresgid(1000, 1000, 1000) == 0 &&
                         ::setresuid(1000, 1000, 1000) == 0;
    ::_exit(dropped ? act() : 255);
  }
  int status = 0;
  if (::waitpid(child, &status, 0) != child || !WIFEXITED(status)) return -1;
  return WEXITSTATUS(status);
}

// The groups of its parent, or none at all: a program may ask for that.
enum class Groups { kOfParent, kNone };

// 0 or the errno.
inline int make_subvolume(int folder, const std::string& name, Groups groups = Groups::kOfParent) {
  btrfs_qgroup_inherit none{};
  btrfs_ioctl_vol_args_v2 args{};
  name.copy(args.name, sizeof args.name - 1);
  if (groups == Groups::kNone) {
    args.flags = BTRFS_SUBVOL_QGROUP_INHERIT;
    args.size = sizeof none;
    args.qgroup_inherit = &none;
  }
  return ::ioctl(folder, BTRFS_IOC_SUBVOL_CREATE_V2, &args) == 0 ? 0 : errno;
}

// 0, or the errno of the write that failed.
inline int fill_at(int folder, const std::string& path, std::size_t mebibytes) {
  const UniqueFd file(::openat(folder, path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  if (!file) return errno;
  std::string block(1 << 20, '\0');
  unsigned state = 1;  // noise: nothing to compress
  for (char& c : block) c = static_cast<char>((state = state * 1103515245U + 12345U) >> 24);
  for (std::size_t done = 0; done < mebibytes; ++done)
    if (::write(file.get(), block.data(), block.size()) < 0) return errno;
  return ::fsync(file.get()) == 0 ? 0 : errno;
}

// A subvolume in `folder` (an absolute path), owned by user 1000 as whoever made it.
inline void user_makes_subvolume(const std::string& folder, const std::string& name,
                                 Groups groups = Groups::kOfParent) {
  const auto there = Folder::open(folder);
  ASSERT_TRUE(there) << there.error().text;
  ASSERT_EQ(as_user([&] { return make_subvolume(there->fd(), name, groups); }), 0);
}

// 0, or the errno that user 1000 met.
inline int user_fills(const std::string& folder, const std::string& path, std::size_t mebibytes) {
  const auto there = Folder::open(folder);
  return there ? as_user([&] { return fill_at(there->fd(), path, mebibytes); }) : -1;
}

// As versions before set a limit: on the subvolume alone.
inline void limit_alone(int fd, std::uint64_t subvolume, std::uint64_t bytes) {
  btrfs_ioctl_qgroup_limit_args args{};
  args.qgroupid = subvolume;
  args.lim.flags = BTRFS_QGROUP_LIMIT_MAX_RFER;
  args.lim.max_rfer = bytes;
  ASSERT_EQ(::ioctl(fd, BTRFS_IOC_QGROUP_LIMIT, &args), 0) << errno;
}

// The ids of all groups 1/<id> of the file system.
inline std::set<std::uint64_t> groups_of(int fd) {
  std::set<std::uint64_t> groups;
  const btrfs::ItemsOf all{
      .tree = BTRFS_QUOTA_TREE_OBJECTID, .object = 0, .type = BTRFS_QGROUP_INFO_KEY};
  const auto read = btrfs::each_item(fd, all, [&](std::uint64_t group, std::string_view) {
    if (group >> BTRFS_QGROUP_LEVEL_SHIFT != 0)
      groups.insert(group & ((std::uint64_t{1} << BTRFS_QGROUP_LEVEL_SHIFT) - 1));
  });
  EXPECT_TRUE(read) << read.error().text;
  return groups;
}

}  // namespace fairlead::volume::testing
