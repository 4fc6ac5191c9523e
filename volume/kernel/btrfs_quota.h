// Limits of btrfs subvolumes. Simple quotas (kernel 6.7) charge an extent to the subvolume that
// wrote it and cost next to nothing; the full ones count sharing and get slow with many snapshots.
//
// What follows from simple quotas: a snapshot or clone starts at 0 and without a limit, and what it
// shares stays charged to the origin. A limit has to be set before anybody can write.
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

// The hard limit of a subvolume in bytes, data and metadata together; nothing = none. Writing past
// it fails with EDQUOT. Read back: kIo when the kernel kept another one. Needs quotas.
Status set_limit(int fd, std::uint64_t subvolume, std::optional<std::uint64_t> bytes);
Result<std::optional<std::uint64_t>> limit_of(int fd, std::uint64_t subvolume);

// Bytes charged to the subvolume, as of the last commit of the file system; nothing without quotas.
Result<std::optional<std::uint64_t>> used_by(int fd, std::uint64_t subvolume);

}  // namespace fairlead::volume::btrfs
