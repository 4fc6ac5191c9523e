// A second mount of a volume's data, for what a folder cannot be by itself: read-only, noexec, with
// mapped ids. It stands at mnt/_data below the volume's folder.
#pragma once

#include <string>

#include "volume/api/options.h"
#include "volume/kernel/folder.h"
#include "volume/kernel/mount.h"

namespace fairlead::volume {

inline constexpr const char* kViewFolder = "mnt";
inline constexpr const char* kViewMount = "mnt/_data";  // below vol/<id>

// Thread-safe; one volume at a time is the caller's affair.
class MountViews {
 public:
  // Whether the options ask for one. Plain words as "rw" do not.
  static bool needed(const VolumeOptions& options);
  // Refuses words of o= that are no flags of a mount. kUnsupported.
  static Status validate(std::string_view backend, const VolumeOptions& options);

  // Mounts the folder `data` for this volume, unless it is there already.
  Status mount(const Folder& volume, int data, const VolumeOptions& options,
               Depth depth = Depth::kOne);
  // Succeeds when there is none.
  static Status unmount(const Folder& volume, Unmount how = Unmount::kPlain);

 private:
  IdMaps maps_;
};

}  // namespace fairlead::volume
