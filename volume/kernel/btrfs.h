// What btrfs can do beyond a plain file system: subvolumes, snapshots, growth and scrub, by ioctl
// (linux/btrfs.h). Limits are in btrfs_quota.h.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "volume/kernel/folder.h"

namespace fairlead::volume::btrfs {

// Whether the descriptor lies on btrfs.
Result<bool> is_on(int fd);
// Whether it is the top folder of a subvolume.
Result<bool> is_subvolume(int fd);

// An empty subvolume `name` in `parent`; kExists when the name is taken. On the disk when it
// returns, unlike a folder.
Status create(const Folder& parent, const std::string& name);

enum class Writable { kYes, kNo };
// The content of the subvolume `source` at this moment, all that was written included, as a new
// subvolume. It is there whole or not at all, also after a power cut. Subvolumes inside it are
// empty folders in the snapshot (is_hollow).
Status snapshot(int source, const Folder& parent, const std::string& name, Writable writable);

// Removes the subvolume with its content at once; the space comes back a little later. kNotFound
// when there is none, kInvalid when it is no subvolume, kConflict while it holds other subvolumes.
Status destroy(int parent, const std::string& name);

struct InnerSubvolume {
  std::uint64_t id = 0;
  std::string path;  // from the top folder of the outer one; ".../" for what is too deep to tell
};
// Those inside `subvolume` (its id_of) at any depth, `most` of them; `fd` lies on the same file
// system. By the references that btrfs keeps, without a walk. Anybody who owns a folder can make
// some (BTRFS_IOC_SUBVOL_CREATE needs no capability).
Result<std::vector<InnerSubvolume>> inner_subvolumes(int fd, std::uint64_t subvolume,
                                                     std::size_t most);
// The numbers of all of them, for a fraction of the time: a container may have made very many.
Result<std::vector<std::uint64_t>> inner_ids(int fd, std::uint64_t subvolume);

// Whether a folder on btrfs with this inode number is what a snapshot shows in the place of a
// subvolume: empty, and nothing can be made in it.
bool is_hollow(ino_t inode);

Status set_read_only(int subvolume, bool read_only);
Result<bool> is_read_only(int subvolume);
// Its number in the file system, which is never used again.
Result<std::uint64_t> id_of(int subvolume);

// Everything written so far to this file system is on the disk (syncfs(2)).
Status flush(int fd);

// "zstd", "zlib", "lzo" or "none", for what is written in this folder from now on.
Status set_compression(int folder, const std::string& algorithm);
// What is made in this folder from now on is written in place: no checksums, no compression, quick
// for databases.
Status set_in_place(int folder);

// The file system takes all of its (grown) device. Online.
Status grow_to_device(int fd);

struct ScrubResult {
  std::uint64_t read_bytes = 0;
  std::uint64_t damaged = 0;       // blocks that could not be read or had a wrong checksum
  std::uint64_t unrepairable = 0;  // of them: those without a second, good copy
};
enum class ScrubMode { kReadOnly, kRepair };
// Reads everything on all devices of the file system that holds `fd` and compares checksums.
// `progress` (bytes done, of how many) is called about ten times a second, on this thread; false
// stops (kUnavailable). kUnavailable as well while another scrub runs.
Result<ScrubResult> scrub(int fd, ScrubMode mode,
                          const std::function<bool(std::uint64_t, std::uint64_t)>& progress);

}  // namespace fairlead::volume::btrfs
