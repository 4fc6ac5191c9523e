#include "volume/backends/snapshot_views.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "volume/backends/volume_tree.h"

namespace fairlead::volume::snapshot_views {

namespace {

Status remove_folder(const Folder& parent, const std::string& name) {
  if (::unlinkat(parent.fd(), name.c_str(), AT_REMOVEDIR) == 0 || errno == ENOENT) return {};
  return fail_errno(errno, fmt::format("remove the mount point {}/{}", parent.path(), name));
}

Status remove_one(const Folder& views, const std::string& id, Unmount how) {
  // Held only as long as needed: a descriptor of a mount keeps it busy.
  TRY_STATUS(unmount(views.fd(), id, how));
  {
    const auto place = views.folder(id);
    if (!place && place.error().code == Code::kNotFound) return {};
    if (!place) return fail(place.error());
    TRY_STATUS(unmount(place->fd(), "_data", how));
    TRY_STATUS(remove_folder(*place, "_data"));
  }
  return remove_folder(views, id);
}

}  // namespace

std::string path_of(const std::string& volume, const std::string& snapshot_id) {
  return fmt::format("{}/{}/{}/_data", volume, kFolder, snapshot_id);
}

Result<Folder> prepare(const Folder& volume, const std::string& snapshot_id) {
  if (!is_volume_id(snapshot_id))
    return fail(Code::kInternal, "mount a snapshot: its id is malformed");
  return volume.ensure_folder(kFolder, 0700);
}

Result<std::vector<std::string>> ids(const Folder& volume) {
  const auto views = volume.folder(kFolder);
  if (!views && views.error().code == Code::kNotFound) return std::vector<std::string>();
  if (!views) return fail(views.error());
  TRY(auto names, views->names());
  std::erase_if(names, [](const std::string& name) { return !is_volume_id(name); });
  return names;
}

Status remove(const Folder& volume, const std::string& snapshot_id, Unmount how) {
  if (!is_volume_id(snapshot_id))
    return fail(Code::kInternal, "unmount a snapshot: its id is malformed");
  const auto views = volume.folder(kFolder);
  if (!views && views.error().code == Code::kNotFound) return {};
  if (!views) return fail(views.error());
  return remove_one(*views, snapshot_id, how);
}

Status remove_all(const Folder& volume, Unmount how) {
  TRY(const auto mounted, ids(volume));
  if (mounted.empty()) return {};
  TRY(const auto views, volume.folder(kFolder));
  for (const std::string& id : mounted) TRY_STATUS(remove_one(views, id, how));
  return {};
}

}  // namespace fairlead::volume::snapshot_views
