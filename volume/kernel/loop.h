// Loop devices: an image file as a block device, by ioctl (loop(4)). The kernel lets two loop
// devices be bound to one file, and mounting both destroys the file system in it. Therefore whoever
// binds an image holds its lock (lock_image) and looks for a loop device that is bound already, by
// device and inode of the file, because a path may have another file by now.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace fairlead::volume {

// A bound loop device, held open: it stays bound at least as long as this object lives. The kernel
// frees it when its last mount and its last descriptor, in any namespace, are gone.
struct Loop {
  unsigned number = 0;
  bool read_only = false;
  bool direct = false;  // bypasses the page cache; not every file system below can
  UniqueFd fd;

  std::string path() const { return fmt::format("/dev/loop{}", number); }
  dev_t device() const;
};

// Waits for the image's lock, at most `deadline` (then kUnavailable). The lock belongs to the open
// file of `image`, so that it excludes threads as well as processes, and ends when that is closed.
// `image` must be open for writing.
Status lock_image(int image, std::chrono::milliseconds deadline);
// The same without waiting: returns false when somebody else has the lock.
Result<bool> try_lock_image(int image);

// The loop device that is bound to this file, or std::nullopt.
Result<std::optional<Loop>> find_loop(int image);

// The file that a loop device is bound to. For looking at many files at once.
struct BoundImage {
  unsigned loop = 0;
  dev_t device = 0;  // of the file
  ino_t inode = 0;
};
Result<std::vector<BoundImage>> bound_images();

struct LoopRequest {
  std::uint32_t block_size = 512;  // of the file system in the image, as its superblock says
  bool read_only = false;          // needed when `image` is open for reading only
};
// The loop device that is bound to the file already, else a new one. The caller holds lock_image()
// or is the only one who can know the file. A new device bypasses the page cache where the file
// system below can.
Result<Loop> bind_loop(int image, const LoopRequest& request);

// Tells the loop device that its file has another size.
Status update_capacity(const Loop& loop);

// Waits until no loop device is bound to the file, because the kernel frees one only a moment after
// umount(2) has returned. Returns false when `deadline` has passed.
Result<bool> wait_for_release(int image, std::chrono::milliseconds deadline);

}  // namespace fairlead::volume
