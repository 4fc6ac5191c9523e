// Mounting by descriptor: a file system or a folder becomes a detached mount, gets its properties,
// and is attached where everybody sees it only then (fsopen(2), open_tree(2), mount_setattr(2),
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

// As MOUNT_ATTR_ bits.
unsigned mount_attributes(const MountFlags& flags);

// The words of o= ("ro", "noexec", "suid", "data=journal") in order: those about the mount in
// `flags`, the others, which the file system knows, in `rest`. "defaults" and "rw" are dropped.
struct MountWords {
  MountFlags flags;
  std::vector<std::string> rest;
};
MountWords sort_mount_words(const std::vector<std::string>& words);

struct NewMount {
  std::string type;                  // "ext4"; never guessed
  std::string source;                // "/dev/loop3", "server:/export"; may be empty
  std::vector<std::string> options;  // of the file system: "noload", "size=10m"
  bool read_only_fs = false;         // the file system itself, not only this mount of it
  MountFlags flags;
};

// A file system as a detached mount; it goes with the descriptor unless attached. An error carries
// the kernel's own words ("ext4: Unknown parameter 'bogus'"). kUnsupported when the kernel does not
// know the type.
Result<UniqueFd> make_mount(const NewMount& what);

enum class Depth { kOne, kWithMountsBeneath };
// What is at the folder `fd`, as one more detached mount (a bind mount that is nowhere yet).
Result<UniqueFd> clone_tree(int fd, Depth depth = Depth::kOne);

// Exactly these flags, for the one mount.
Status set_flags(int mount, const MountFlags& flags);

// Puts a detached mount on the folder `name` beneath `parent` (one component, not a link) and makes
// it private: what is mounted inside later goes to no other namespace. `mount` stays open and then
// names the attached mount. Does not look whether something is mounted there already: see
// is_mount_point().
Status attach(int mount, int parent, const std::string& name);

// The same for a folder that is held open itself.
Status attach_at(int mount, int folder);

enum class Unmount {
  kPlain,  // kInUse (EBUSY) while somebody has a file open there, in our namespace
  kLazy,   // gone from the tree at once; the rest when the last file is closed. Touches no server
};
// Takes away what is mounted on `name` beneath `parent`: the topmost one. A link is not followed.
// Succeeds when nothing is mounted there, or no such folder is.
Status unmount(int parent, const std::string& name, Unmount how = Unmount::kPlain);

// kNotFound when there is no such folder.
Result<bool> is_mount_point(int parent, const std::string& name);
// The device of what a descriptor lies on, as mountinfo names it (for btrfs: see mount_scan.h).
Result<dev_t> device_of(int fd);
// The same for `name` beneath `parent`: of what is mounted there.
Result<dev_t> device_at(int parent, const std::string& name);

// One line of /proc/<pid>/uid_map for an idmapped mount: `disk` on the disk is seen as `shown`.
struct IdLine {
  std::uint32_t disk = 0, shown = 0, count = 0;
  auto operator<=>(const IdLine&) const = default;
};

// Idmapped mounts. Keeps a user namespace for each map asked for: making one costs a process.
// Thread-safe.
class IdMaps {
 public:
  // For uids and gids alike, of a mount that is not attached yet. Empty: nothing to do.
  // kUnsupported where the file system cannot.
  Status apply(int mount, const std::vector<IdLine>& lines);

 private:
  Result<int> user_namespace(const std::vector<IdLine>& lines);

  std::mutex guard_;
  std::map<std::vector<IdLine>, UniqueFd> known_;
};

// Whether /proc/filesystems lists the type. A module that is not loaded yet is not listed: what
// make_mount() says is the truth, this is the cheap look before.
bool kernel_lists_filesystem(const std::string& type);

}  // namespace fairlead::volume
