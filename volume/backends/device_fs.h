// A file system (ext4 or xfs) with the data of one volume, on a block device. Who made the device
// does not matter: the loop driver over an image file (loop_image.h), a volume manager, a storage
// network.
//
//   const FsIdentity identity{fs_type(options), volume.id};
//   TRY_STATUS(FileSystemOnDevice::make("/dev/x", identity, size, options, Storage::kUnknown));
//   TRY(const auto fs, FileSystemOnDevice::open(device, "/dev/x", identity));
//   TRY(const auto mount, fs.mount(options));
//   TRY_STATUS(make_data_folder(mount.get(), options));
//
// `_data` in it is what is handed out, so that lost+found is not seen, and a runtime fills an empty
// volume.
#pragma once

#include <functional>
#include <string>

#include "base/unique_fd.h"
#include "volume/api/options.h"
#include "volume/api/types.h"
#include "volume/kernel/mount.h"
#include "volume/kernel/superblock.h"

namespace fairlead::volume {

// The file system that a device has to hold: "ext4" or "xfs", and 32 hex digits.
struct FsIdentity {
  std::string type, uuid;
};

// Reads what is on the device, which is open for reading. kConflict when it is something else, so
// that it is never mounted. `noun` says what the device is, for errors: "device", "image".
Result<Superblock> verify_superblock(int device, const FsIdentity& identity, std::string_view noun);

// What a device holds before a file system is made on it.
enum class Storage {
  kZeroed,   // a new sparse file: what is zero already need not be written
  kUnknown,  // anything
};

// The caller excludes others who would make, resize or check the same file system. The verbs that
// mount nothing (make, check, resize_unmounted) also take the path of a file with the same content.
class FileSystemOnDevice {
 public:
  // Makes a file system of `size` bytes, which destroys what was there. The path is absolute.
  static Status make(const std::string& path, const FsIdentity& identity, std::uint64_t size,
                     const VolumeOptions& options, Storage storage);
  // Verifies first. `device` is a descriptor of `path`, open for reading, and borrowed.
  static Result<FileSystemOnDevice> open(int device, std::string path, const FsIdentity& identity);
  // Of a superblock that was verified.
  FileSystemOnDevice(std::string path, Superblock superblock)
      : path_(std::move(path)), superblock_(std::move(superblock)) {}

  const std::string& path() const { return path_; }
  const Superblock& superblock() const { return superblock_; }

  // Mounts it, detached, with what the options say about mounts. When it is mounted already, this
  // is a further mount of the same file system.
  Result<UniqueFd> mount(const VolumeOptions& options) const;
  Result<UniqueFd> mount(NewMount request) const;
  NewMount request_for(const VolumeOptions& options) const;
  // Writes nothing, not even the recovery of a log; for one that was left clean.
  Result<UniqueFd> mount_read_only() const;

  // Whether its log may have to be played back before a copy of it is as good as an unmounted disk.
  bool may_need_recovery() const;
  Status recover() const;  // by mounting it once

  // Runs `copy` while no byte on the device changes, at most 2 s. Everything is flushed before, so
  // that the freeze has little left to write; `flush_below` flushes what is under the device.
  // Fails with the error of `copy`; kUnavailable when the time was over before it returned, so that
  // what was copied is not one moment.
  Status at_one_moment(const std::function<Status()>& flush_below,
                       const std::function<Status()>& copy) const;

  // The first half of that: flushes everything, and returns a folder to freeze (Frozen::freeze). It
  // keeps the file system mounted.
  Result<UniqueFd> flushed(const std::function<Status()>& flush_below) const;

  // Takes `size` bytes of a device that has grown, mounted or not, by the kernel's own change,
  // which is journalled and safe at any moment. kUnsupported where the kernel refuses.
  Status grow(std::uint64_t size) const;
  // Larger or smaller, of an ext4 that is mounted nowhere. Killed half way it may leave the file
  // system damaged, so it is for copies only. kExhausted when the data needs more than that.
  Status resize_unmounted(std::uint64_t size) const;
  // Runs fsck on one that is mounted nowhere. With `repair` it repairs what can be repaired.
  Result<CheckReport> check(bool repair) const;

 private:
  std::string path_;
  Superblock superblock_;
};

// ---- the data in a mounted file system; `mount` is a descriptor of its root

// Makes the folder that is handed out, with owner, mode and encryption, and flushes everything.
Status make_data_folder(int mount, const VolumeOptions& options);
Result<UniqueFd> open_data_folder(int mount);
// Gives the key of an encrypted volume to its file system, which keeps it until it is unmounted.
// Does nothing without the option "encrypt". kConflict when the key is that of another volume.
Status unlock_data(int mount, const VolumeOptions& options);

}  // namespace fairlead::volume
