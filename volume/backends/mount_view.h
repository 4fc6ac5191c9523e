// A second mount of a volume's data, mounted on mnt/_data below the volume's folder, for what a
// folder itself cannot be: read-only, noexec, or with mapped ids.
#pragma once

#include <string>
#include <vector>

#include "volume/api/options.h"
#include "volume/kernel/folder.h"
#include "volume/kernel/mount.h"

namespace fairlead::volume {

inline constexpr const char* kViewFolder = "mnt";
inline constexpr const char* kViewMount = "mnt/_data";  // below vol/<id>

// Thread-safe, but the caller has to hold the volume's lock.
class MountViews {
 public:
  // Whether the options need such a mount. Words like "rw" do not.
  static bool needed(const VolumeOptions& options);
  // kUnsupported for words of o= that are no flags of a mount.
  static Status validate(std::string_view backend, const VolumeOptions& options);

  // Mounts the folder `data` for this volume, unless that is done already.
  Status mount(const Folder& volume, int data, const VolumeOptions& options,
               Depth depth = Depth::kOne);
  // Mounts the folder `data` of a snapshot, read-only, on `name` below `place`, unless that is done
  // already; else with the flags and the id map of its volume.
  Status mount_read_only(const Folder& place, const std::string& name, int data,
                         const VolumeOptions& options);
  // Succeeds when nothing is mounted.
  static Status unmount(const Folder& volume, Unmount how = Unmount::kPlain);

 private:
  Status attach_view(const Folder& place, const std::string& name, int data,
                     const VolumeOptions& options, const MountFlags& flags, Depth depth);

  IdMaps maps_;
};

// The flags of a mount with these options.
MountFlags view_flags(const VolumeOptions& options);
std::vector<IdLine> id_lines(const VolumeOptions& options);

}  // namespace fairlead::volume
