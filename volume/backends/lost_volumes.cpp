#include "volume/backends/lost_volumes.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>

#include "volume/backends/image_disk.h"
#include "volume/backends/volume_json.h"
#include "volume/kernel/btrfs.h"

namespace fairlead::volume {

namespace {

constexpr std::size_t kShownId = 8;
constexpr std::string_view kImageEnding = ".img";

// A name for what has none any more.
std::string made_up(const std::string& id) { return "recovered-" + id.substr(0, kShownId); }

long long changed(const Folder& folder, const char* name) {
  struct stat info {};
  return ::fstatat(folder.fd(), name, &info, AT_SYMLINK_NOFOLLOW) == 0 ? info.st_mtime : 0;
}

bool has(const Folder& folder, const std::string& name) { return folder.has(name).value_or(false); }

Status guess_image(const Folder& folder, Volume& volume) {
  volume.backend = "image";
  TRY(const auto image, LoopImage::open(folder, kImageName, Open::kReadOnly));
  TRY(const auto size, image.size());
  volume.options.size = size.length;
  TRY(const auto identity, read_identity(folder));
  if (identity.type != "ext4") volume.options.fstype = identity.type;
  return {};
}

// What the data looks like, when nothing is written beside it, or what is cannot be read.
Status guess(const Folder& folder, const std::string& id, Volume& volume) {
  volume.id = id;
  TRY(volume.name, VolumeName::parse(made_up(id)));
  volume.phase = Phase::kReady;
  volume.created = changed(folder, ".");
  if (has(folder, kImageName)) return guess_image(folder, volume);
  if (has(folder, "_data")) {
    volume.backend = "dir";
    return {};
  }
  const auto fs = folder.folder("fs");
  if (fs && btrfs::is_on(fs->fd()).value_or(false) && has(*fs, "_data")) {
    volume.backend = "btrfs";
    return {};
  }
  return fail(Code::kNotFound, "no data is in it that could be taken back");
}

// The ids of the snapshots whose data is there.
std::vector<std::string> snapshots_in(const Folder& folder) {
  std::vector<std::string> ids;
  const auto snapshots = folder.folder("snapshots");
  if (!snapshots) return ids;
  for (std::string& name : snapshots->names().value_or(std::vector<std::string>{})) {
    if (name.ends_with(kImageEnding)) name.resize(name.size() - kImageEnding.size());
    if (is_volume_id(name)) ids.push_back(std::move(name));
  }
  return ids;
}

// Those that are written down and are there, and those that are only there.
Status settle_snapshots(const Folder& folder, Volume& volume) {
  const auto there = snapshots_in(folder);
  std::erase_if(volume.snapshots, [&](const Snapshot& snapshot) {
    return std::ranges::find(there, snapshot.id) == there.end();
  });
  for (const std::string& id : there) {
    if (std::ranges::find(volume.snapshots, id, &Snapshot::id) != volume.snapshots.end()) continue;
    Snapshot snapshot{.id = id};
    TRY(snapshot.name, SnapshotName::parse(made_up(id)));
    const bool image = has(folder, fmt::format("snapshots/{}{}", id, kImageEnding));
    snapshot.created =
        changed(folder, fmt::format("snapshots/{}{}", id, image ? kImageEnding : "").c_str());
    volume.snapshots.push_back(std::move(snapshot));
  }
  std::ranges::stable_sort(volume.snapshots, {}, &Snapshot::created);
  return {};
}

Result<Volume> written_down(const Folder& folder, const std::string& id) {
  TRY(const auto text, folder.read_file(kJsonName, kLargestJson));
  TRY(auto volume, parse_volume_json(text));
  if (volume.id != id) return fail(Code::kInvalid, "it is that of another volume, {}", volume.id);
  return volume;
}

FoundVolume look_at(const Folder& folder, const std::string& id) {
  FoundVolume found{.path = folder.path()};
  auto written = written_down(folder, id);
  if (written) {
    found.named = true;
    found.volume = std::move(*written);
  } else {
    found.doubt = written.error().code == Code::kNotFound
                      ? "nothing is written beside its data"
                      : fmt::format("what is written beside its data cannot be read: {}",
                                    written.error().text);
    found.lost = has(folder, kGoingName);
    if (found.lost) found.doubt = "its removal had begun";
    if (const auto guessed = guess(folder, id, found.volume); !guessed) {
      found.lost = true;
      found.doubt = guessed.error().text;
    }
  }
  if (const auto settled = settle_snapshots(folder, found.volume); !settled)
    found.doubt = settled.error().text;
  return found;
}

using IsKnown = std::function<Result<bool>(const std::string& id)>;

// A folder that is gone meanwhile was removed by somebody who knew it.
Status find_in_vol(const VolumeTree& tree, const IsKnown& is_known,
                   std::vector<FoundVolume>& found) {
  TRY(const auto ids, tree.volumes());
  for (const std::string& id : ids) {
    TRY(const bool known, is_known(id));
    if (known) continue;
    const auto folder = tree.open(id);
    if (folder) found.push_back(look_at(*folder, id));
  }
  return {};
}

Status find_in_trash(const VolumeTree& tree, const IsKnown& is_known,
                     std::vector<FoundVolume>& found) {
  const auto trash = tree.part("trash");
  if (!trash && trash.error().code == Code::kNotFound) return {};
  if (!trash) return fail(trash.error());
  TRY(const auto names, trash->names());
  for (const std::string& name : names) {
    const auto parsed = parse_trash_name(name);
    if (!parsed) continue;
    TRY(const bool known, is_known(parsed->id));
    const auto folder = known ? Result<Folder>(fail(Code::kExists, "")) : trash->folder(name);
    if (!folder) continue;
    FoundVolume one = look_at(*folder, parsed->id);
    one.volume.deleted = parsed->deleted;
    one.volume.phase = Phase::kDeleting;
    // without `retain` it is about to be emptied, as its owner wanted
    if (one.named && one.volume.options.retain.count() > 0) found.push_back(std::move(one));
  }
  return {};
}

}  // namespace

Result<std::vector<FoundVolume>> find_lost_volumes(const VolumeTree& tree,
                                                   const IsKnown& is_known) {
  std::vector<FoundVolume> found;
  TRY_STATUS(find_in_vol(tree, is_known, found));
  TRY_STATUS(find_in_trash(tree, is_known, found));
  return found;
}

bool holds_data(const std::string& folder, const std::vector<std::string>& volumes,
                const std::vector<std::string>& pools) {
  const auto holds = [&](const char* part, const std::vector<std::string>& ids) {
    const auto place = Folder::open(fmt::format("{}/{}", folder, part));
    return place &&
           std::ranges::any_of(ids, [&](const std::string& id) { return has(*place, id); });
  };
  return holds("vol", volumes) || holds("pools", pools);
}

}  // namespace fairlead::volume
