// The marks of chattr(1) that files and folders carry (FS_IOC_GETFLAGS, linux/fs.h).
#pragma once

#include <linux/fs.h>

#include <cstdint>

#include "base/result.h"

namespace fairlead::volume {

// What people set by hand and what changes how a file may be used. Others tell how a file system
// stores the file, and belong to it.
inline constexpr std::uint32_t kKeptFlags = FS_IMMUTABLE_FL | FS_APPEND_FL | FS_NODUMP_FL |
                                            FS_NOATIME_FL | FS_SYNC_FL | FS_DIRSYNC_FL |
                                            FS_NOCOW_FL;
// Those that forbid further changes, so that they are set after everything else.
inline constexpr std::uint32_t kSealingFlags = FS_IMMUTABLE_FL | FS_APPEND_FL;

// Those of kKeptFlags that are set. 0 where the file system has none.
std::uint32_t flags_of(int fd);

// Sets these flags beside those that the file has. FS_NOCOW_FL is asked for only of an empty file
// or of a folder, and where it cannot be kept, which loses no content, that is no failure.
Status add_flags(int fd, std::uint32_t flags);

// Takes them away, FS_NOCOW_FL excepted.
Status drop_flags(int fd, std::uint32_t flags);

// "immutable, append-only", for people.
std::string names_of_flags(std::uint32_t flags);

}  // namespace fairlead::volume
