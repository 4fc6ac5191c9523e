#include "volume/backends/mount_view.h"

#include <algorithm>
#include <array>

#include "base/fault.h"
#include "base/text.h"

namespace fairlead::volume {

namespace {

// Words that a bind mount needs nothing for, and Podman's own.
constexpr std::array<std::string_view, 6> kNothing{"async",   "bind",  "nocopy",
                                                   "noquota", "rbind", "relatime"};

}  // namespace

// A view that is needed for another reason gets nosuid and nodev as well.
MountFlags view_flags(const VolumeOptions& options) {
  MountFlags flags = sort_mount_words(options.mount_options).flags;
  flags.read_only = flags.read_only || options.access == Access::kReadOnly;
  return flags;
}

std::vector<IdLine> id_lines(const VolumeOptions& options) {
  std::vector<IdLine> lines;
  for (const IdRange& range : options.idmap)
    lines.push_back({range.disk, range.shown, range.count});
  return lines;
}

bool MountViews::needed(const VolumeOptions& options) {
  const auto asked = [&](std::string_view word) {
    return std::ranges::find(options.mount_options, word) != options.mount_options.end();
  };
  MountFlags plain;
  plain.nosuid = !asked("suid");
  plain.nodev = !asked("dev");
  return !options.idmap.empty() || asked("nosuid") || asked("nodev") ||
         view_flags(options) != plain;
}

Status MountViews::validate(std::string_view backend, const VolumeOptions& options) {
  for (const std::string& word : sort_mount_words(options.mount_options).rest)
    if (std::ranges::find(kNothing, word) == kNothing.end())
      return fail(Code::kUnsupported,
                  "volume option o={} is not available with backend {}: it is a matter of the file "
                  "system; leave it out",
                  shown(word), backend);
  return {};
}

Status MountViews::attach_view(const Folder& place, const std::string& name, int data,
                               const VolumeOptions& options, const MountFlags& flags, Depth depth) {
  TRY_STATUS(place.ensure_folder(name, 0700));
  TRY(const bool mounted, is_mount_point(place.fd(), name));
  if (mounted) return {};
  TRY(const auto view, clone_tree(data, depth));
  TRY_STATUS(set_flags(view.get(), flags));
  TRY_STATUS(maps_.apply(view.get(), id_lines(options)));
  fault_point("volume.view.made");
  TRY_STATUS(attach(view.get(), place.fd(), name));
  fault_point("volume.view.mounted");
  return {};
}

Status MountViews::mount(const Folder& volume, int data, const VolumeOptions& options,
                         Depth depth) {
  TRY(const auto place, volume.ensure_folder(kViewFolder, 0700));
  return attach_view(place, "_data", data, options, view_flags(options), depth);
}

Status MountViews::mount_read_only(const Folder& place, const std::string& name, int data,
                                   const VolumeOptions& options) {
  MountFlags flags = view_flags(options);
  flags.read_only = true;
  return attach_view(place, name, data, options, flags, Depth::kOne);
}

Status MountViews::unmount(const Folder& volume, Unmount how) {
  const auto place = volume.folder(kViewFolder);
  if (!place && place.error().code == Code::kNotFound) return {};
  if (!place) return fail(place.error());
  return volume::unmount(place->fd(), "_data", how);
}

}  // namespace fairlead::volume
