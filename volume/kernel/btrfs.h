// What btrfs can do beyond a plain file system, by ioctl (linux/btrfs.h): subvolumes, snapshots,
// growth and scrub. Limits are in btrfs_quota.h.
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
// Whether the descriptor is of the top folder of a subvolume.
Result<bool> is_subvolume(int fd);

// Creates the empty subvolume `name` in `parent`; kExists when the name is taken. Unlike a new
// folder it is on the disk when the call returns.
Status create(const Folder& parent, const std::string& name);

enum class Writable { kYes, kNo };
// Creates a subvolume with the content of the subvolume `source` at this moment, everything written
// so far included. The new subvolume exists whole or not at all, also after a power cut. Subvolumes
// inside `source` are empty folders in the snapshot (is_hollow).
Status snapshot(int source, const Folder& parent, const std::string& name, Writable writable);

// The same without writing the rest first: data that was not flushed may be missing.
Status snapshot_unflushed(int source, const Folder& parent, const std::string& name,
                          Writable writable);
// Begins to write the present transaction. While it is written the next one stays open.
void begin_commit(const Folder& folder);
// The id of the file system of the descriptor, 32 hex digits.
Result<std::string> file_system_id(int fd);

// Removes the subvolume and its content at once; the space is freed a little later. kNotFound when
// there is none, kInvalid when it is no subvolume, kConflict while it holds other subvolumes.
Status destroy(int parent, const std::string& name);

struct InnerSubvolume {
  std::uint64_t id = 0;
  // from the top folder of the outer one; ".../" where the way is too long for the kernel to tell
  std::string path;
};
// The subvolumes at any depth inside `subvolume` (its id_of), at most `most` of them. `fd` is of
// the same file system. They are found by the references that btrfs keeps, without a walk. Anybody
// who owns a folder can create some (BTRFS_IOC_SUBVOL_CREATE needs no capability).
Result<std::vector<InnerSubvolume>> inner_subvolumes(int fd, std::uint64_t subvolume,
                                                     std::size_t most);
// The ids of all subvolumes inside, in a fraction of the time that their paths would take: a
// container may have created very many.
Result<std::vector<std::uint64_t>> inner_ids(int fd, std::uint64_t subvolume);

// Whether this inode number of a folder on btrfs is that of the placeholder which a snapshot has in
// the place of a subvolume: an empty folder in which nothing can be created.
bool is_hollow(ino_t inode);

Status set_read_only(int subvolume, bool read_only);
// The id of the subvolume in its file system, which is never used again.
Result<std::uint64_t> id_of(int subvolume);

// Writes everything that was written to this file system so far to the disk (syncfs(2)).
Status flush(int fd);

// Flushes as well, and has the kernel free the space of destroyed subvolumes now; by itself it does so
// every half a minute.
Status free_destroyed(int fd);

// Sets the compression, "zstd", "zlib", "lzo" or "none", of what is written in this folder from now
// on.
Status set_compression(int folder, const std::string& algorithm);
// Makes files created in this folder from now on be written in place, without checksums and
// compression, which is faster for databases.
Status set_in_place(int folder);

// Grows the file system to the size of its device, online.
Status grow_to_device(int fd);

struct ScrubResult {
  std::uint64_t read_bytes = 0;
  std::uint64_t damaged = 0;       // blocks that could not be read or had a wrong checksum
  std::uint64_t unrepairable = 0;  // blocks of `damaged` that have no second, good copy
};
enum class ScrubMode { kReadOnly, kRepair };
// Reads everything on all devices of the file system of `fd` and compares checksums. `progress`
// (bytes done, total) is called about ten times a second, on this thread; when it returns false the
// scrub stops with kUnavailable. kUnavailable as well while another scrub runs.
Result<ScrubResult> scrub(int fd, ScrubMode mode,
                          const std::function<bool(std::uint64_t, std::uint64_t)>& progress);

}  // namespace fairlead::volume::btrfs
