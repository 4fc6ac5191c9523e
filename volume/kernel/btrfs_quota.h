// Limits of btrfs subvolumes. Simple quotas (kernel 6.7) charge an extent to the subvolume that
// wrote it and cost next to nothing; the full ones count sharing and get slow with many snapshots.
//
// What follows from simple quotas: a snapshot or clone starts at 0 and without a limit, and what it
// shares stays charged to the origin. A limit has to be set before anybody can write.
//
// Whoever owns a folder can make subvolumes in it, and a limit of the outer subvolume (its qgroup
// 0/<id>) does not hold for them. With simple quotas limits are therefore those of a group 1/<id>
// with 0/<id> in it: what is made inside joins the groups of its parent by itself. (Unless its
// maker asks the kernel for other groups, BTRFS_SUBVOL_QGROUP_INHERIT, which needs no capability
// either: needs_joining() finds those.) The full quotas know no such joining: a limit is that of
// the one subvolume there.
#pragma once

#include <cstdint>
#include <optional>

#include "base/result.h"

namespace fairlead::volume::btrfs {

enum class QuotaKind { kNone, kSimple, kFull };

// What the file system that holds `fd` has switched on.
Result<QuotaKind> quota_kind(int fd);

// Switches simple quotas on, or the full ones where the kernel has no simple ones; those that are
// on already stay. Waits until the full ones have counted what is there.
Result<QuotaKind> enable_quota(int fd);

// The hard limit of a subvolume and of all that is inside it, in bytes, data and metadata together;
// nothing = none, and what is used is counted all the same. Writing past it fails with EDQUOT. What
// is inside already joins, and a limit of the one subvolume (as older versions set it) goes. Read
// back: kIo when the kernel kept another one. kConflict when the group has strange members. Needs
// quotas. `fd` lies on the same file system outside of the subvolume, here and in forget_limit():
// by one inside a full subvolume the kernel changes nothing (EDQUOT).
Status set_limit(int fd, std::uint64_t subvolume, std::optional<std::uint64_t> bytes);
Result<std::optional<std::uint64_t>> limit_of(int fd, std::uint64_t subvolume);

// With simple quotas: whether there is something that set_limit() would bring under the limit.
Result<bool> needs_joining(int fd, std::uint64_t subvolume);

// Takes limit and group away: before the subvolume is removed. At its limit not even that would
// work, and nobody else removes the group. Succeeds when there is nothing.
Status forget_limit(int fd, std::uint64_t subvolume);

// Bytes charged to the subvolume and with simple quotas to what is inside it, as of the last commit
// of the file system; nothing without quotas.
Result<std::optional<std::uint64_t>> used_by(int fd, std::uint64_t subvolume);

}  // namespace fairlead::volume::btrfs
