// Describes for people who has a volume's data mounted, leaving out Fairlead's own mounts.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "volume/kernel/folder.h"
#include "volume/kernel/mount_scan.h"

namespace fairlead::volume {

// Fairlead's own mounts, below the folder of a volume: "fs", "mnt/_data". A copy of such a mount in
// another namespace is at the same path (systemd creates such copies for its services) and does not
// count as a use either.
using OwnMounts = std::vector<std::string>;

// Drops the mounts that are Fairlead's own by another path: where the volume folder is shown twice
// (a bind mount with shared propagation), each of its mounts is there twice.
void leave_out_twins(std::vector<MountUser>& users, const Folder& volume, const OwnMounts& own);

// The place of a volume's snapshots, or of one of them, below the place of the folder vol/<id>.
FsPlace snapshots_place(FsPlace volume, const std::string& snapshot_id = {});

// Lists who has `places`, or what lies beneath them, mounted, and what is mounted inside `volume`,
// the folder vol/<id>. Empty when nobody has. Fairlead's own mounts of snapshots do not count, nor
// do users of `except` or what lies beneath it.
Result<std::string> users_text(const MountScan& scan, const Folder& volume,
                               const std::vector<FsPlace>& places, const OwnMounts& own,
                               const std::optional<FsPlace>& except = {});

// Who has snapshots mounted that are kept as folders at `place`, in vol/<id>.
Result<std::string> snapshot_users_text(const MountScan& scan, const Folder& volume,
                                        const FsPlace& place);

// "mounted at /data by sleep (pid 812), mounted at /x on the host, 5 more".
std::string describe_users(const std::vector<MountUser>& users);

// The same for a place that is not Fairlead's (a folder of the host, a share). Mounts of it in our
// own namespace, and copies of those in other namespaces, belong to the host and do not count; what
// remains are containers.
std::string strangers_text(const MountScan& scan, const FsPlace& place);

// What is mounted on `name` below the folder in our own namespace; std::nullopt when nothing is.
// Reads the mount table and touches no file system.
Result<std::optional<FsPlace>> mounted_at(const MountScan& scan, const Folder& volume,
                                          const std::string& name);

}  // namespace fairlead::volume
