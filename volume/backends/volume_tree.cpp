#include "volume/backends/volume_tree.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <optional>

#include "base/fault.h"
#include "base/text.h"
#include "volume/backends/disk_room.h"
#include "volume/backends/volume_json.h"
#include "volume/kernel/loop.h"
#include "volume/kernel/remove_tree.h"

namespace fairlead::volume {

namespace {

constexpr mode_t kRootMode = 0711, kPartMode = 0700;

std::string to_string(const TrashName& name) { return fmt::format("{}.{}", name.id, name.deleted); }

// Who has the folder mounted; its data must not be touched then.
Result<std::vector<MountUser>> users_of(const Folder& folder) {
  TRY(const auto scan, MountScan::take());
  TRY(const auto place, scan.place_of(folder.fd()));
  return scan.users_of(place);
}

bool shows(const BoundImage& bound, const struct stat& file) {
  return bound.device == file.st_dev && bound.inode == file.st_ino;
}

// Whether a loop device is bound to an image in the folder, for a mount in whatever namespace. If
// the image were removed all the same, its space would be lost until the last of those mounts is
// gone.
Result<bool> holds_attached_image(const Folder& folder) {
  std::vector<struct stat> images;
  for (const char* place : {".", "snapshots"}) {
    const auto part = folder.folder(place);
    if (!part && part.error().code == Code::kNotFound) continue;
    if (!part) return fail(part.error());
    TRY(const auto names, part->names());
    for (const std::string& name : names) {
      struct stat info {};
      if (name.ends_with(".img") &&
          ::fstatat(part->fd(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0)
        images.push_back(info);
    }
  }
  if (images.empty()) return false;
  TRY(const auto bound, bound_images());
  return std::ranges::any_of(images, [&](const struct stat& image) {
    return std::ranges::any_of(bound, [&](const BoundImage& one) { return shows(one, image); });
  });
}

// On a full disk even what frees space may find none: btrfs gives what was freed only with its next
// commit, which is asked for here.
template <class Act>
auto once_there_is_room(const Folder& folder, const Act& act) {
  constexpr int kTries = 4;
  auto done = act();
  for (int k = 0; k < kTries && !done && done.error().code == Code::kExhausted; ++k) {
    ::syncfs(folder.fd());
    done = act();
  }
  return done;
}

// Whether somebody may want the volume back out of the trash.
enum class Restorable { kYes, kNo };

// Takes volume.json away, so that the volume is never restored: half of its data may be gone. Where
// nobody may want it back, that need not be on the disk before the data goes.
Status mark_as_going(const Folder& folder, Restorable restorable) {
  const auto flushed = [&] { return restorable == Restorable::kYes ? folder.sync() : Status(); };
  if (::renameat(folder.fd(), kJsonName, folder.fd(), kGoingName) == 0) return flushed();
  if (errno == ENOSPC && ::unlinkat(folder.fd(), kJsonName, 0) == 0) return flushed();
  if (errno == ENOENT || errno == EISDIR) return {};
  return fail_errno(errno, fmt::format("remove {}/{}", folder.path(), kJsonName));
}

Result<TrashState> empty(const Folder& trash, const std::string& name, const StopRequest& stop,
                         Restorable restorable) {
  const auto folder = trash.folder(name);
  if (!folder && folder.error().code == Code::kNotFound) return TrashState::kEmptied;
  if (!folder) return fail(folder.error());
  const auto users = users_of(*folder);
  if (const auto still = trash.has(name); still && !*still)
    return TrashState::kEmptied;  // somebody else did it meanwhile
  if (!users) return fail(users.error());
  if (!users->empty()) return TrashState::kLeft;
  TRY(const bool attached, holds_attached_image(*folder));
  if (attached) return TrashState::kLeft;
  fault_point("volume.purge.begin");
  TRY_STATUS(once_there_is_room(*folder, [&] { return mark_as_going(*folder, restorable); }));
  TRY(const auto removal,
      once_there_is_room(trash, [&] { return remove_tree(trash, name, stop); }));
  return removal == Removal::kGone ? TrashState::kEmptied : TrashState::kLeft;
}

// `cause` is the reason why the folder cannot be moved into the trash.
Status remove_in_place(const Folder& vol, const Volume& volume, const Error& cause) {
  if (volume.options.retain.count() > 0) return fail(cause);
  TRY(const auto state, empty(vol, volume.id, {}, Restorable::kYes));
  if (state != TrashState::kEmptied) return fail(cause);
  return vol.sync();
}

// The time of removal plus the `retain` of volume.json.
Result<long long> due_time(const Folder& trash, const std::string& name, long long deleted) {
  TRY(const auto text, trash.read_file(fmt::format("{}/{}", name, kJsonName), kLargestJson));
  TRY(const auto volume, parse_volume_json(text));
  return deleted + volume.options.retain.count();
}

// A folder whose emptying was interrupted may have lost its volume.json; its time was over then.
Result<bool> is_due(const Folder& trash, const std::string& name, long long deleted,
                    long long now) {
  const auto due = due_time(trash, name, deleted);
  if (due) return *due <= now;
  if (due.error().code == Code::kNotFound) return true;
  return fail(due.error());
}

}  // namespace

bool is_volume_id(std::string_view text) {
  return text.size() == 32 && std::ranges::all_of(text, [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

std::optional<TrashName> parse_trash_name(std::string_view text) {
  const auto dot = text.find('.');
  if (dot == std::string_view::npos || !is_volume_id(text.substr(0, dot))) return std::nullopt;
  TrashName name{.id = std::string(text.substr(0, dot))};
  const std::string_view time = text.substr(dot + 1);
  const auto [end, error] = std::from_chars(time.data(), time.data() + time.size(), name.deleted);
  if (error != std::errc{} || end != time.data() + time.size()) return std::nullopt;
  return name;
}

Status VolumeTree::prepare() const {
  TRY(const auto root, Folder::ensure(root_, kRootMode));
  for (const char* name : {"vol", "tmp", "trash"}) TRY_STATUS(root.ensure_folder(name, kPartMode));
  return {};
}

Result<Folder> VolumeTree::part(const std::string& name) const {
  TRY(const auto root, Folder::open(root_));
  return root.folder(name);
}

Result<Folder> VolumeTree::begin(const std::string& id) const {
  if (!is_volume_id(id)) return fail(Code::kInternal, "build a volume: its id is malformed");
  TRY_STATUS(prepare());
  TRY(const auto tmp, part("tmp"));
  TRY_STATUS(remove_tree(tmp, id));
  return tmp.make_folder(id, kPartMode);
}

Status VolumeTree::publish(const Volume& volume, const Folder& built, Flush flush) const {
  TRY_STATUS(built.write_file(kJsonName, to_volume_json(volume), 0600, flush));
  if (flush == Flush::kNow) TRY_STATUS(built.sync());
  fault_point("volume.build.flushed");
  TRY(const auto tmp, part("tmp"));
  TRY(const auto vol, part("vol"));
  TRY_STATUS(tmp.rename(volume.id, vol, volume.id));
  fault_point("volume.build.renamed");
  return flush == Flush::kNow ? vol.sync() : Status();
}

// The file system brings its changes to the disk in their order: with the rename came what was made
// before it, but not what is in files.
Status VolumeTree::settle(const Volume& volume) const {
  TRY(const auto vol, part("vol"));
  TRY(const auto folder, vol.folder(volume.id));
  TRY(const auto data, folder.folder("_data"));
  TRY_STATUS(data.sync());
  TRY_STATUS(write_down(volume));
  TRY_STATUS(folder.sync_file(kJsonName));
  TRY_STATUS(folder.sync());
  return vol.sync();
}

Status VolumeTree::flush_root() const {
  TRY(const auto root, Folder::open(root_));
  TRY_STATUS(root.sync());
  TRY(const auto above, Folder::open(root_ + "/.."));
  return above.sync();
}

Status VolumeTree::discard(const std::string& id) const {
  if (!is_volume_id(id)) return fail(Code::kInternal, "discard a volume: its id is malformed");
  for (const char* name : {"tmp", "vol"}) {
    const auto folder = part(name);
    if (!folder && folder.error().code == Code::kNotFound) continue;
    if (!folder) return fail(folder.error());
    TRY_STATUS(remove_tree(*folder, id));
  }
  return {};
}

Result<bool> VolumeTree::has(const std::string& id) const {
  TRY(const auto vol, part("vol"));
  return vol.has(id);
}

Result<Folder> VolumeTree::open(const std::string& id) const {
  TRY(const auto vol, part("vol"));
  return vol.folder(id);
}

Status VolumeTree::write_down(const Volume& volume) const {
  const auto folder = open(volume.id);
  if (!folder && folder.error().code == Code::kNotFound) return {};
  if (!folder) return fail(folder.error());
  const std::string text = to_volume_json(volume);
  const auto there = folder->read_file(kJsonName, kLargestJson);
  if (there && *there == text) return {};
  TRY(const bool going, folder->has(kGoingName));
  if (going) return {};
  return folder->replace_file(kJsonName, text, 0600);
}

Result<DiskRoom> VolumeTree::room() const { return room_of(root_); }

Status VolumeTree::to_trash(const Volume& volume, Flush flush) const {
  const auto vol = part("vol");
  if (!vol && vol.error().code == Code::kNotFound) return {};
  if (!vol) return fail(vol.error());
  TRY_STATUS(prepare());
  TRY(const auto trash, part("trash"));
  const auto move = [&] {
    return vol->rename(volume.id, trash, to_string({volume.id, volume.deleted}));
  };
  auto moved = move();
  if (!moved && moved.error().code == Code::kExhausted && volume.options.retain.count() > 0)
    moved = once_there_is_room(*vol, move);
  if (!moved && moved.error().code == Code::kExhausted)
    return remove_in_place(*vol, volume, moved.error());
  if (!moved && moved.error().code != Code::kNotFound) return moved;
  fault_point("volume.trash.renamed");
  // the rename is one change of the file system, so vol/ is on the disk with it
  return flush == Flush::kNow ? trash.sync() : Status();
}

Result<std::vector<std::string>> VolumeTree::volumes() const {
  const auto vol = part("vol");
  if (!vol && vol.error().code == Code::kNotFound) return std::vector<std::string>();
  if (!vol) return fail(vol.error());
  TRY(auto names, vol->names());
  std::erase_if(names, [](const std::string& name) { return !is_volume_id(name); });
  return names;
}

Status VolumeTree::from_trash(const std::string& id, long long deleted) const {
  if (!is_volume_id(id)) return fail(Code::kInternal, "restore a volume: its id is malformed");
  TRY_STATUS(prepare());
  TRY(const auto trash, part("trash"));
  TRY(const auto vol, part("vol"));
  TRY(const bool in_trash, trash.has(to_string({id, deleted})));
  TRY(const bool back, vol.has(id));
  if (!in_trash && back) return {};
  if (!in_trash)
    return fail(Code::kNotFound, "restore a volume: its data is not in the trash any more");
  TRY(const auto folder, trash.folder(to_string({id, deleted})));
  TRY(const bool whole, folder.has(kJsonName));
  if (!whole)
    return fail(Code::kNotFound, "restore a volume: the trash is being emptied, and its data goes");
  TRY_STATUS(trash.rename(to_string({id, deleted}), vol, id));
  fault_point("volume.trash.restored");
  return vol.sync();
}

Result<TrashState> VolumeTree::purge(const Volume& volume, const StopRequest& stop) const {
  const auto trash = part("trash");
  if (!trash && trash.error().code == Code::kNotFound) return TrashState::kEmptied;
  if (!trash) return fail(trash.error());
  return empty(*trash, to_string({volume.id, volume.deleted}), stop,
               volume.options.retain.count() > 0 ? Restorable::kYes : Restorable::kNo);
}

Status VolumeTree::sweep_tmp(const std::function<Result<bool>(const std::string&)>& is_known,
                             const StopRequest& stop, ReconcileReport& report) const {
  TRY(const auto tmp, part("tmp"));
  TRY(const auto names, tmp.names());
  for (const std::string& name : names) {
    if (!is_volume_id(name)) {
      report.failures.push_back(
          fmt::format("{}/{} is not Fairlead's; it was left alone", tmp.path(), shown(name)));
      continue;
    }
    // Asked after listing, because an intent is committed before its folder is created.
    TRY(const bool known, is_known(name));
    if (known) continue;
    TRY(const auto removal, remove_tree(tmp, name, stop));
    if (removal == Removal::kGone)
      report.actions.push_back(fmt::format("removed the half-built volume {}", name));
  }
  return {};
}

// Volumes without a record are found by find_lost_volumes().
Status VolumeTree::report_strays(ReconcileReport& report) const {
  TRY(const auto vol, part("vol"));
  TRY(const auto names, vol.names());
  for (const std::string& name : names)
    if (!is_volume_id(name))
      report.failures.push_back(
          fmt::format("{}/{} is not Fairlead's; it was left alone", vol.path(), shown(name)));
  return {};
}

Status VolumeTree::sweep_trash(long long now, const StopRequest& stop,
                               ReconcileReport& report) const {
  TRY(const auto trash, part("trash"));
  TRY(const auto names, trash.names());
  for (const std::string& name : names) {
    if (stop && stop()) return {};
    const auto parsed = parse_trash_name(name);
    const auto due = parsed ? is_due(trash, name, parsed->deleted, now)
                            : Result<bool>(fail(Code::kInvalid, "it is not Fairlead's"));
    if (!due)
      report.failures.push_back(
          fmt::format("{}/{} was left alone: {}", trash.path(), shown(name), due.error().text));
    if (!due || !*due) continue;
    const auto state = empty(trash, name, stop, Restorable::kYes);
    if (!state)
      report.failures.push_back(
          fmt::format("empty the trash of volume {}: {}", parsed->id, state.error().text));
    else if (*state == TrashState::kEmptied)
      report.actions.push_back(fmt::format("emptied the trash of volume {}", parsed->id));
  }
  return {};
}

ReconcileReport VolumeTree::sweep(
    long long now, const std::function<Result<bool>(const std::string& id)>& is_known,
    const StopRequest& stop) const {
  ReconcileReport report;
  const auto note = [&](const Status& done) {
    if (!done) report.failures.push_back(fmt::format("sweep {}: {}", root_, done.error().text));
  };
  if (auto ready = prepare(); !ready) {
    note(ready);
    return report;
  }
  note(sweep_tmp(is_known, stop, report));
  note(report_strays(report));
  note(sweep_trash(now, stop, report));
  return report;
}

}  // namespace fairlead::volume
