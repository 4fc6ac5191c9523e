// A file that holds a file system, and the loop device that shows the file as a block device. What
// is in the file is the business of device_fs.h.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "volume/kernel/folder.h"
#include "volume/kernel/image_file.h"
#include "volume/kernel/loop.h"

namespace fairlead::volume {

// An image file, held open. Whoever attaches it or replaces it holds its lock (kernel/loop.h), or
// is the only one who can know the file.
class LoopImage {
 public:
  // A new, sparse one. kExists when the name is taken.
  static Result<LoopImage> make(const Folder& folder, const std::string& name, std::uint64_t size);
  // A new, empty one that no name leads to and that is gone when it is closed and detached.
  static Result<LoopImage> make_unnamed(const Folder& folder);
  static Result<LoopImage> open(const Folder& folder, const std::string& relative, Open how);

  int fd() const { return fd_.get(); }
  const std::string& path() const { return path_; }  // absolute
  Result<bool> is_same_file(const LoopImage& other) const;
  // Whether the name still leads to this file.
  Result<bool> is_at(const Folder& folder, const char* name) const;

  // Waits for the lock, which ends when the image is closed.
  Status lock(std::chrono::milliseconds deadline) const { return lock_image(fd(), deadline); }
  Result<bool> try_lock() const { return try_lock_image(fd()); }

  // The loop device that shows it in whatever namespace; std::nullopt when none does.
  Result<std::optional<Loop>> loop() const { return find_loop(fd()); }
  // That device, or a new one. It goes with its last mount and its last descriptor.
  Result<Loop> attach(const LoopRequest& request) const;
  // Waits until it is detached. kInUse when somebody still has it mounted.
  Status await_release() const;

  Result<FileSize> size() const { return size_of_file(fd()); }
  // Changes the size of the file only; update_device() tells the loop device, if there is one.
  Status set_size(std::uint64_t size) const { return set_file_size(fd(), size); }
  Status update_device() const;
  Status sync() const { return sync_file(fd()); }

  // Fills this empty image with the content of another one and flushes it. Blocks are shared where
  // possible, else copied.
  Status fill_from(const LoopImage& from, const CopyProgress& progress) const;
  // The same by sharing alone, without flushing: kUnsupported where this file system cannot.
  Status share_from(const LoopImage& from) const { return share_blocks(from.fd(), fd()); }

 private:
  LoopImage(UniqueFd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}

  UniqueFd fd_;
  std::string path_;
};

}  // namespace fairlead::volume
