// Loop devices: an image file as a block device, by ioctl (Documentation: loop(4)). The kernel lets
// two loop devices show one file, and two mounts of those destroy the file system in it: the attach
// guard is that whoever binds an image holds its lock (lock_image) and looks for a loop that is
// bound already, by device and inode, since paths lie.
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

// A bound loop device, held open: it stays bound at least as long as this lives. It frees itself
// when the last mount and the last descriptor of it, in any namespace, are gone.
struct Loop {
  unsigned number = 0;
  bool read_only = false;
  bool direct = false;  // past the page cache; not every file system below can
  UniqueFd fd;

  std::string path() const { return fmt::format("/dev/loop{}", number); }
  dev_t device() const;
};

// Waits for the image's lock, at most `deadline` (then kUnavailable), and returns the descriptor
// that holds it: it is of this open file, so that threads exclude each other as processes do, and
// goes when that is closed. `image` must be open for writing.
Status lock_image(int image, std::chrono::milliseconds deadline);
// The same without waiting: false when somebody has it.
Result<bool> try_lock_image(int image);

// The loop device that shows this file, if there is one.
Result<std::optional<Loop>> find_loop(int image);

// What every loop device of this kernel shows, for looks at many files at once.
struct BoundImage {
  unsigned loop = 0;
  dev_t device = 0;  // of the file
  ino_t inode = 0;
};
Result<std::vector<BoundImage>> bound_images();

struct LoopRequest {
  std::uint32_t block_size = 512;  // that of the file system in it, as its superblock says
  bool read_only = false;          // needed when `image` is open for reading only
};
// The loop device that shows the file already, else a new one. The caller holds lock_image(), or is
// the only one who can know the file. A new one reads and writes past the page cache where the file
// system below can.
Result<Loop> bind_loop(int image, const LoopRequest& request);

// The file has another size: so has the device.
Status update_capacity(const Loop& loop);

// The kernel frees a loop a moment after umount(2) has returned. True when the file is shown by no
// loop any more, false when `deadline` has passed.
Result<bool> wait_for_release(int image, std::chrono::milliseconds deadline);

}  // namespace fairlead::volume
