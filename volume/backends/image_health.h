// Whether the file system in an image has stopped, and why.
//
// On a disk that is full ext4 cannot write its log into blocks that the sparse image has not taken
// yet. It stops for good (mount option emergency_ro; journal aborted), marks its superblock with the
// error EIO, and takes no remount: only an unmount and a mount, which play the log back, bring it
// on. Then the mark is still there, which e2fsck -p takes away. (errors=continue makes no difference,
// because the log is gone either way.) xfs shuts down, without a mark, and is well after the next
// mount.
#pragma once

#include <sys/statfs.h>

#include "volume/api/types.h"
#include "volume/backends/image_disk.h"

namespace fairlead::volume {

enum class Stopped {
  kNo,
  kWriteFailed,  // the disk below refused a write
  kDamaged,      // the kernel found something wrong
};
Stopped has_stopped(const Folder& folder, const Superblock& superblock, bool is_mounted);

// Puts it into the status, with what to do. `room`: of the disk below.
void tell_stopped(Stopped stopped, const Result<DiskRoom>& room, const Volume& volume,
                  VolumeStatus& status);

// As tell_own_limit(), by the blocks that the mounted file system has for everybody.
void tell_free_blocks(const Volume& volume, const struct statfs& info, VolumeStatus& status);

// An encrypted volume whose key cannot be read.
void tell_missing_key(const VolumeOptions& options, VolumeStatus& status);

}  // namespace fairlead::volume
