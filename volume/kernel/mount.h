// Mounting by descriptor: a file system or a folder becomes a detached mount, gets its properties,
// and only then is attached where everybody sees it (fsopen(2), open_tree(2), mount_setattr(2),
// move_mount(2)). No path of a stranger is ever followed.
//
//   TRY(auto mount, make_mount({.type = "tmpfs", .options = {"size=10m"}}));
//   TRY_STATUS(id_maps.apply(mount.get(), lines));
//   TRY_STATUS(attach(mount.get(), folder, "fs"));     // folder: the descriptor above "fs"
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace fairlead::volume {

// What a mount (not its file system) allows.
struct MountFlags {
  bool read_only = false;
  bool nosuid = true, nodev = true;
  bool noexec = false, noatime = false, nodiratime = false, strictatime = false;
  bool operator==(const MountFlags&) const = default;
};

// The flags as MOUNT_ATTR_ bits.
unsigned mount_attributes(const MountFlags& flags);

// Separates the words of o= ("ro", "noexec", "suid", "data=journal"), keeping their order: words
// about the mount go into `flags`, the others, which are for the file system, into `rest`.
// "defaults" and "rw" are dropped.
struct MountWords {
  MountFlags flags;
  std::vector<std::string> rest;
};
MountWords sort_mount_words(const std::vector<std::string>& words);

struct NewMount {
  std::string type;                  // "ext4"; the kernel never guesses it
  std::string source;                // "/dev/loop3", "server:/export"; may be empty
  std::vector<std::string> options;  // of the file system: "noload", "size=10m"
  bool read_only_fs = false;         // the file system itself, not only this mount of it
  MountFlags flags;
};

// Creates a file system's mount, detached; it ends with the descriptor unless it is attached. An
// error carries the kernel's own words ("ext4: Unknown parameter 'bogus'"). kUnsupported when the
// kernel does not know the type.
Result<UniqueFd> make_mount(const NewMount& what);

enum class Depth { kOne, kWithMountsBeneath };
// A further, detached mount of the folder `fd` (a bind mount that is attached nowhere yet).
Result<UniqueFd> clone_tree(int fd, Depth depth = Depth::kOne);

// Sets exactly these flags, for this one mount.
Status set_flags(int mount, const MountFlags& flags);

// Attaches a detached mount to the folder `name` beneath `parent` (one component, not a link) and
// makes it private, so that mounts inside it do not propagate to other namespaces. `mount` stays
// open and then is a descriptor of the attached mount. Does not check whether something is mounted
// there already: see is_mount_point().
Status attach(int mount, int parent, const std::string& name);

// The same for a folder that is itself held open.
Status attach_at(int mount, int folder);

enum class Unmount {
  kPlain,  // kInUse (EBUSY) while somebody has a file open there, in our namespace
  kLazy,   // leaves the tree at once, ends when the last file is closed; touches no server
};
// Unmounts the topmost mount on `name` beneath `parent`. A link is not followed. Succeeds when
// nothing is mounted there, or there is no such folder.
Status unmount(int parent, const std::string& name, Unmount how = Unmount::kPlain);

// kNotFound when there is no such folder.
Result<bool> is_mount_point(int parent, const std::string& name);
// The device of the file system of a descriptor, as mountinfo gives it (for btrfs see
// mount_scan.h).
Result<dev_t> device_of(int fd);
// The same for what is mounted on `name` beneath `parent`.
Result<dev_t> device_at(int parent, const std::string& name);

// One line of /proc/<pid>/uid_map for an idmapped mount: the id `disk` on the disk is seen as
// `shown`.
struct IdLine {
  std::uint32_t disk = 0, shown = 0, count = 0;
  auto operator<=>(const IdLine&) const = default;
};

// Idmapped mounts. Keeps a user namespace for each map that was used, because creating one needs a
// process. Thread-safe.
class IdMaps {
 public:
  // Applies the map to uids and gids alike, of a mount that is not attached yet. Does nothing when
  // `lines` is empty. kUnsupported where the file system cannot be idmapped.
  Status apply(int mount, const std::vector<IdLine>& lines);

 private:
  Result<int> user_namespace(const std::vector<IdLine>& lines);

  std::mutex guard_;
  std::map<std::vector<IdLine>, UniqueFd> known_;
};

// Whether /proc/filesystems lists the type. A module that is not loaded yet is not listed, so this
// is only a cheap check; make_mount() decides.
bool kernel_lists_filesystem(const std::string& type);

}  // namespace fairlead::volume
