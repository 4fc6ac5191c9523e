#include "volume/backends/copied_snapshots.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "base/fault.h"
#include "volume/backends/volume_tree.h"
#include "volume/kernel/copy_tree.h"
#include "volume/kernel/remove_tree.h"

namespace fairlead::volume {

namespace {

constexpr const char* kBuilding = "building";  // a snapshot that is being copied
constexpr const char* kRolling = "rolling";    // holds the other content during a roll-back
constexpr const char* kMade = "made";          // in kRolling: the inode number of the new _data

Status check_id(const std::string& snapshot) {
  if (is_volume_id(snapshot)) return {};
  return fail(Code::kInternal, "the id of a snapshot is malformed");
}

Result<std::string> inode_of(const Folder& folder) {
  struct stat info {};
  if (::fstat(folder.fd(), &info) != 0)
    return fail_errno(errno, fmt::format("look at {}", folder.path()));
  return std::to_string(info.st_ino);
}

Status flush_all(const Folder& folder) {
  if (::syncfs(folder.fd()) != 0) return fail_errno(errno, fmt::format("flush {}", folder.path()));
  return {};
}

// Makes a folder `name` in `volume` whose _data is a copy of `data`, flushed to the disk.
Result<Folder> build(const Folder& volume, const std::string& name, const Folder& data,
                     const Progress& progress) {
  TRY_STATUS(remove_tree(volume, name));
  TRY(auto building, volume.make_folder(name, 0700));
  TRY(const auto copy, building.make_folder("_data", 0700));
  TRY_STATUS(copy_data(data, copy, progress));
  return building;
}

// Whether an interrupted roll-back had exchanged the contents already.
Result<bool> is_exchanged(const Folder& volume) {
  const auto made = volume.read_file(fmt::format("{}/{}", kRolling, kMade), 64);
  if (!made && made.error().code == Code::kNotFound) return false;  // not even built
  if (!made) return fail(made.error());
  TRY(const auto data, volume.folder("_data"));
  TRY(const auto inode, inode_of(data));
  return inode == *made;
}

Status build_next(const Folder& volume, const std::string& snapshot, const Progress& progress) {
  TRY(const auto source, copied::open(volume, snapshot));
  TRY(const auto rolling, build(volume, kRolling, source, progress));
  TRY(const auto data, rolling.folder("_data"));
  TRY(const auto inode, inode_of(data));
  TRY_STATUS(rolling.write_file(kMade, inode, 0600));
  TRY_STATUS(rolling.sync());
  fault_point("volume.roll-back.built");
  TRY_STATUS(rolling.exchange("_data", volume, "_data"));
  fault_point("volume.roll-back.exchanged");
  return {};
}

}  // namespace

Status copy_data(const Folder& from, const Folder& to, const Progress& progress) {
  std::uint64_t total = 0;
  if (progress) {
    TRY(const auto size, measure_tree(from.fd(), [&](std::uint64_t) { return progress(0, 0); }));
    total = size.bytes;
  }
  TRY_STATUS(copy_tree(from.fd(), to.fd(), [&](std::uint64_t done) {
    return !progress || progress(std::min(done, total), total);
  }));
  fault_point("volume.copy.done");
  return flush_all(to);
}

namespace copied {

Result<Folder> open(const Folder& volume, const std::string& snapshot) {
  TRY_STATUS(check_id(snapshot));
  return volume.folder(fmt::format("snapshots/{}/_data", snapshot));
}

Status take(const Folder& volume, const std::string& snapshot, const Progress& progress) {
  TRY_STATUS(check_id(snapshot));
  TRY(const auto snapshots, volume.ensure_folder("snapshots", 0700));
  TRY(const bool there, snapshots.has(snapshot));
  if (there) return {};
  TRY(const auto data, volume.folder("_data"));
  if (auto built = build(volume, kBuilding, data, progress); !built) {
    (void)remove_tree(volume, kBuilding);  // the next snapshot removes what stays
    return fail(built.error());
  }
  fault_point("volume.snapshot.built");
  TRY_STATUS(volume.rename(kBuilding, snapshots, snapshot));
  fault_point("volume.snapshot.renamed");
  TRY_STATUS(volume.sync());
  return snapshots.sync();
}

Status drop(const Folder& volume, const std::string& snapshot) {
  TRY_STATUS(check_id(snapshot));
  const auto snapshots = volume.folder("snapshots");
  if (!snapshots && snapshots.error().code == Code::kNotFound) return {};
  if (!snapshots) return fail(snapshots.error());
  // It is renamed first, so that half a snapshot is never seen.
  TRY_STATUS(remove_tree(volume, "dropping"));
  const auto moved = snapshots->rename(snapshot, volume, "dropping");
  if (!moved && moved.error().code != Code::kNotFound) return moved;
  fault_point("volume.drop-snapshot.renamed");
  return remove_tree(volume, "dropping");
}

Status roll_back(const Folder& volume, const std::string& snapshot, const std::string& kept,
                 const Progress& progress) {
  TRY_STATUS(check_id(kept));
  TRY(const auto snapshots, volume.ensure_folder("snapshots", 0700));
  TRY(const bool done, snapshots.has(kept));
  if (done) return {};
  TRY(const bool exchanged, is_exchanged(volume));
  if (auto ready = exchanged ? Status() : build_next(volume, snapshot, progress); !ready) {
    (void)remove_tree(volume, kRolling);  // the next roll-back removes what stays
    return ready;
  }
  TRY_STATUS(volume.rename(kRolling, snapshots, kept));
  fault_point("volume.roll-back.kept");
  TRY_STATUS(volume.sync());
  return snapshots.sync();
}

}  // namespace copied

}  // namespace fairlead::volume
