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

// A view that is needed for another reason gets nosuid and nodev as well.
MountFlags flags_of(const VolumeOptions& options) {
  MountFlags flags = sort_mount_words(options.mount_options).flags;
  flags.read_only = flags.read_only || options.access == Access::kReadOnly;
  return flags;
}

std::vector<IdLine> lines_of(const std::vector<IdRange>& ranges) {
  std::vector<IdLine> lines;
  for (const IdRange& range : ranges) lines.push_back({range.disk, range.shown, range.count});
  return lines;
}

}  // namespace

bool MountViews::needed(const VolumeOptions& options) {
  const auto asked = [&](std::string_view word) {
    return std::ranges::find(options.mount_options, word) != options.mount_options.end();
  };
  MountFlags plain;
  plain.nosuid = !asked("suid");
  plain.nodev = !asked("dev");
  return !options.idmap.empty() || asked("nosuid") || asked("nodev") || flags_of(options) != plain;
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

Status MountViews::mount(const Folder& volume, int data, const VolumeOptions& options,
                         Depth depth) {
  TRY(const auto place, volume.ensure_folder(kViewFolder, 0700));
  TRY_STATUS(place.ensure_folder("_data", 0700));
  TRY(const bool mounted, is_mount_point(place.fd(), "_data"));
  if (mounted) return {};
  TRY(const auto view, clone_tree(data, depth));
  TRY_STATUS(set_flags(view.get(), flags_of(options)));
  TRY_STATUS(maps_.apply(view.get(), lines_of(options.idmap)));
  fault_point("volume.view.made");
  TRY_STATUS(attach(view.get(), place.fd(), "_data"));
  fault_point("volume.view.mounted");
  return {};
}

Status MountViews::unmount(const Folder& volume, Unmount how) {
  const auto place = volume.folder(kViewFolder);
  if (!place && place.error().code == Code::kNotFound) return {};
  if (!place) return fail(place.error());
  return volume::unmount(place->fd(), "_data", how);
}

}  // namespace fairlead::volume
