// VolumeTree: the tree in which volumes are kept, whatever builds their data.
//
//   <root>/                     0711  containers of other users reach their data through it,
//                                     nobody lists it
//     vol/<id>/                 0700  a volume; <id> is made by us, never by a user
//       volume.json                   see volume_json.h; volume.json.next while it is replaced
//       going                         its removal has begun: volume.json, under another name
//       _data/                        what is handed out, or
//       fs/_data/                     in a file system of its own (subvolume, mount), or
//       mnt/_data/                    a second mount of it, with flags or an id map
//       snapshots/<snapshot id>/
//       views/<snapshot id>/          see snapshot_views.h
//     tmp/<id>/                 0700  a volume that is being built
//     trash/<id>.<unix time>/   0700  a removed volume, and when it was removed
//
// A volume is built in tmp/, flushed, and renamed into vol/, so that it exists whole or not at all,
// also after a power cut. Rejected: naming folders after volumes for people's sake, because user
// strings would become paths and a rename would move data.
#pragma once

#include <optional>
#include <string>

#include "volume/api/backend.h"
#include "volume/kernel/folder.h"
#include "volume/kernel/mount_scan.h"

namespace fairlead::volume {

// Thread-safe. Every call opens the root anew, so that a file system mounted there later is seen.
class VolumeTree {
 public:
  explicit VolumeTree(std::string root) : root_(std::move(root)) {}

  const std::string& root() const { return root_; }
  std::string path_of(const std::string& id) const { return fmt::format("{}/vol/{}", root_, id); }
  std::string data_path(const std::string& id) const {
    return fmt::format("{}/vol/{}/_data", root_, id);
  }

  // Creates what is missing of the tree. Idempotent.
  Status prepare() const;

  // Creates an empty tmp/<id>, removing first what a crash left there.
  Result<Folder> begin(const std::string& id) const;
  // Writes volume.json into the built folder, flushes it and moves it to vol/<id>. kExists when
  // that is taken. What is flushed later, a power cut may take away again, the folder as a whole.
  Status publish(const Volume& volume, const Folder& built, Flush flush = Flush::kNow) const;
  // Flushes what was published to be flushed later, and writes volume.json anew where a power cut
  // has emptied it. kNotFound when the folder or the data in it is missing.
  Status settle(const Volume& volume) const;
  // Flushes the folders of the tree themselves.
  Status flush_root() const;
  // Removes tmp/<id> and vol/<id>.
  Status discard(const std::string& id) const;

  Result<bool> has(const std::string& id) const;
  Result<Folder> open(const std::string& id) const;    // vol/<id>; kNotFound when it is missing
  Result<Folder> part(const std::string& name) const;  // vol, tmp or trash

  // Writes volume.json anew where it says something else. Succeeds when there is no vol/<id>.
  Status write_down(const Volume& volume) const;
  // As Backend::room().
  Result<DiskRoom> room() const;

  // The ids in vol/; empty when there is no such folder yet.
  Result<std::vector<std::string>> volumes() const;

  // Moves vol/<id> to trash/<id>.<deleted>. Succeeds when there is no vol/<id>. Where a full disk
  // has no room for the new name, a volume without `retain` is removed at once.
  Status to_trash(const Volume& volume, Flush flush = Flush::kNow) const;
  // Moves it back. Succeeds when that was done already; kNotFound when the trash was emptied or its
  // emptying has begun, kExists when another folder is in its place.
  Status from_trash(const std::string& id, long long deleted) const;
  Result<TrashState> purge(const Volume& volume, const StopRequest& stop) const;
  // As Backend::sweep, for all volumes of the tree.
  ReconcileReport sweep(long long now,
                        const std::function<Result<bool>(const std::string& id)>& is_known,
                        const StopRequest& stop) const;

 private:
  Status sweep_tmp(const std::function<Result<bool>(const std::string&)>& is_known,
                   const StopRequest& stop, ReconcileReport& report) const;
  Status report_strays(ReconcileReport& report) const;
  Status sweep_trash(long long now, const StopRequest& stop, ReconcileReport& report) const;

  std::string root_;
};

inline constexpr const char* kJsonName = "volume.json";
inline constexpr const char* kGoingName = "going";
inline constexpr std::size_t kLargestJson = 1 << 20;

// A name in trash/; std::nullopt when it is none.
struct TrashName {
  std::string id;
  long long deleted = 0;
};
std::optional<TrashName> parse_trash_name(std::string_view text);

// 32 lower-case hex digits, as random_hex makes them.
bool is_volume_id(std::string_view text);

}  // namespace fairlead::volume
