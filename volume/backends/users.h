// Who has a volume's data mounted, as a text for people; Fairlead's own mounts left out.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "volume/kernel/folder.h"
#include "volume/kernel/mount_scan.h"

namespace fairlead::volume {

// Where Fairlead itself mounts something, below the folder of a volume: "fs", "mnt/_data". The copy
// of such a mount in another namespace stands at the same path (systemd makes them for its
// services) and is nobody's use either.
using OwnMounts = std::vector<std::string>;

// Those who have `places` or what lies beneath them mounted, and what is mounted inside `volume`,
// the folder vol/<id>. Empty: nobody.
Result<std::string> users_text(const MountScan& scan, const Folder& volume,
                               const std::vector<FsPlace>& places, const OwnMounts& own);

// The same for a place that is not Fairlead's (a folder of the host, a share): where it stands in
// our own namespace is the host's affair, and the copies of that in other namespaces too. What is
// left are containers.
std::string strangers_text(const MountScan& scan, const FsPlace& place);

// What is mounted at `name` below the folder, in our own namespace; nothing when nothing is. Reads
// the mount table and touches no file system.
Result<std::optional<FsPlace>> mounted_at(const MountScan& scan, const Folder& volume,
                                          const std::string& name);

}  // namespace fairlead::volume
