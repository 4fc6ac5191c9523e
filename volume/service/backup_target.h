// Keeps an archive of a volume from being written into the volume itself.
#pragma once

#include <string>

#include "base/result.h"

namespace fairlead::volume {

// kInvalid when the folder, or the nearest one above it that is there, is in one of the volume's
// folders: its content now, or what is read (a snapshot). The kernel is asked for the place in the
// file system, so that no symbolic link, bind mount or other name hides it. -1: there is none.
struct VolumeFolders {
  int read = -1;
  std::string now;  // path of the present content; empty, or not there: not mounted
};
Status refuse_target_inside(const VolumeFolders& volume, const std::string& folder);
// The same for an open file. A pipe is never inside.
Status refuse_file_inside(const VolumeFolders& volume, int file);

}  // namespace fairlead::volume
