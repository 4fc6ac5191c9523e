// Limits of btrfs subvolumes. Simple quotas (kernel 6.7) charge an extent to the subvolume that
// wrote it and cost next to nothing; full quotas count sharing and get slow with many snapshots.
//
// With simple quotas a snapshot or clone therefore starts at 0 bytes and without a limit, and what
// it shares stays charged to its origin. A limit has to be set before anybody can write.
//
// Whoever owns a folder can create subvolumes in it, and a limit on the qgroup 0/<id> of the outer
// subvolume does not cover those. With simple quotas a limit is therefore set on a qgroup 1/<id>
// that has 0/<id> as its member: the kernel puts subvolumes created inside into the groups of their
// parent (unless their creator asks it for other groups by BTRFS_SUBVOL_QGROUP_INHERIT, which needs
// no capability either: needs_joining() finds those). Full quotas do not do that; with them a limit
// covers the one subvolume only.
#pragma once

#include <cstdint>
#include <optional>

#include "base/result.h"

namespace fairlead::volume::btrfs {

enum class QuotaKind { kNone, kSimple, kFull };

// The kind of quotas that the file system of `fd` has switched on.
Result<QuotaKind> quota_kind(int fd);

// Switches simple quotas on, or full ones where the kernel has no simple ones; quotas that are on
// already are kept. Waits until full quotas have counted what is there.
Result<QuotaKind> enable_quota(int fd);

// Whether limits on this file system hold for subvolumes that are made inside as well: it has simple
// quotas, or none yet and the kernel has simple ones (/sys/fs/btrfs/features, where it is mounted).
Result<bool> limits_hold_inside(int fd);

// Sets the hard limit of a subvolume and of all that is inside it, in bytes of data and metadata
// together. std::nullopt means no limit; what is used is counted all the same. Writing past the
// limit fails with EDQUOT. With simple quotas subvolumes inside join the group, and a limit on the
// one subvolume, as older versions set it, is removed. The limit is read back: kIo when the kernel
// kept another one. kConflict when the group has members of somebody else. Needs quotas. Here and
// in forget_limit(), `fd` is of the same file system but outside of the subvolume: by a descriptor
// inside a full subvolume the kernel changes nothing (EDQUOT).
Status set_limit(int fd, std::uint64_t subvolume, std::optional<std::uint64_t> bytes);
Result<std::optional<std::uint64_t>> limit_of(int fd, std::uint64_t subvolume);

// With simple quotas: whether set_limit() would bring something under the limit that is not under
// it yet.
Result<bool> needs_joining(int fd, std::uint64_t subvolume);

// Removes the limit and the group. Called before the subvolume is removed, because at its limit not
// even its removal would work, and nobody else removes the group. Succeeds when there is nothing.
Status forget_limit(int fd, std::uint64_t subvolume);

// The bytes charged to the subvolume, and with simple quotas to what is inside it, as of the last
// commit of the file system. std::nullopt without quotas.
Result<std::optional<std::uint64_t>> used_by(int fd, std::uint64_t subvolume);

}  // namespace fairlead::volume::btrfs
