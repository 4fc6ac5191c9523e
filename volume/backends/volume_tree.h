// VolumeTree: the tree in which volumes are kept, whatever builds their data.
//
//   <root>/                     0711  containers of other users reach their data through it,
//                                     nobody lists it
//     vol/<id>/                 0700  a volume; <id> is made by us, never by a user
//       volume.json                   see volume_json.h
//       _data/                        what is handed out, or
//       fs/_data/                     in a file system of its own (subvolume, mount), or
//       mnt/_data/                    a second mount of it, with flags or an id map
//       snapshots/<snapshot id>/
//     tmp/<id>/                 0700  a volume that is being built
//     trash/<id>.<unix time>/   0700  a removed volume, and when it was removed
//
// A volume is built in tmp/, flushed, and renamed into vol/: it is there whole or not at all, also
// after a power cut. Rejected: folders named as the volume, for people (a user string in a path;
// and rename would move data).
#pragma once

#include <string>

#include "volume/api/backend.h"
#include "volume/kernel/folder.h"
#include "volume/kernel/mount_scan.h"

namespace fairlead::volume {

// Thread-safe. The root is opened anew by every call, so that a file system mounted there later is
// seen.
class VolumeTree {
 public:
  explicit VolumeTree(std::string root) : root_(std::move(root)) {}

  const std::string& root() const { return root_; }
  std::string path_of(const std::string& id) const { return fmt::format("{}/vol/{}", root_, id); }
  std::string data_path(const std::string& id) const {
    return fmt::format("{}/vol/{}/_data", root_, id);
  }

  // Makes what is missing of the tree. Idempotent.
  Status prepare() const;

  // An empty tmp/<id>; what a crash left there is removed first.
  Result<Folder> begin(const std::string& id) const;
  // Writes volume.json into what was built, flushes it and moves it to vol/<id>. kExists when that
  // is taken.
  Status publish(const Volume& volume, const Folder& built) const;
  // Removes tmp/<id> and vol/<id>.
  Status discard(const std::string& id) const;

  Result<bool> has(const std::string& id) const;
  Result<Folder> open(const std::string& id) const;  // vol/<id>; kNotFound when it is missing

  // The ids in vol/; none when there is no such folder yet.
  Result<std::vector<std::string>> volumes() const;

  // vol/<id> becomes trash/<id>.<deleted>. Succeeds when there is none. Where a full disk has no
  // room for the name, a volume that is not to be kept is removed at once.
  Status to_trash(const Volume& volume) const;
  // The way back. Succeeds when it is back already; kNotFound when the trash was emptied or this
  // has begun, kExists when another one is in its place.
  Status from_trash(const std::string& id, long long deleted) const;
  Result<TrashState> purge(const std::string& id, long long deleted, const StopRequest& stop) const;
  // As Backend::sweep, for the volumes of the whole tree.
  ReconcileReport sweep(long long now,
                        const std::function<Result<bool>(const std::string& id)>& is_known,
                        const StopRequest& stop) const;

 private:
  Result<Folder> part(const std::string& name) const;  // vol, tmp or trash
  Status sweep_tmp(const std::function<Result<bool>(const std::string&)>& is_known,
                   const StopRequest& stop, ReconcileReport& report) const;
  Status report_strays(const std::function<Result<bool>(const std::string&)>& is_known,
                       ReconcileReport& report) const;
  Status sweep_trash(long long now, const StopRequest& stop, ReconcileReport& report) const;

  std::string root_;
};

// 32 lower-case hex digits, as random_hex makes them.
bool is_volume_id(std::string_view text);

}  // namespace fairlead::volume
