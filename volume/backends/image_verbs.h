// The verbs of backend image beyond its life cycle (image.cpp), with the contracts of
// volume/api/backend.h, in one file for each theme.
#pragma once

#include <map>
#include <string>

#include "volume/api/backend.h"
#include "volume/backends/image_disk.h"

namespace fairlead::volume {

// image_snapshots.cpp
Status take_image_snapshot(const VolumeTree& pool, const Volume& volume, const Snapshot& snapshot,
                           const Progress& progress);
// In image_moment.cpp. nullptr when it is mounted nowhere: take_image_snapshot() will do then.
Result<std::unique_ptr<MomentPart>> begin_image_moment(const VolumeTree& pool, const Volume& volume,
                                                       const Snapshot& snapshot);
Status drop_image_snapshot(const VolumeTree& pool, const Volume& volume,
                           const std::string& snapshot_id);
Status roll_back_image(const VolumeTree& pool, const Volume& volume, const Snapshot& snapshot,
                       const Snapshot& kept, const Progress& progress);
// Bytes on the disk below that only the snapshots of the volume hold; std::nullopt when it has none,
// or when that is not known.
Result<std::optional<std::uint64_t>> only_in_image_snapshots(const VolumeTree& pool,
                                                             const Volume& volume);
Result<UniqueFd> open_image_data(const VolumeTree& pool, const Volume& volume,
                                 const std::string& snapshot_id);
// A detached mount of the snapshot, read-only; see Backend::mount_snapshot and snapshot_users.
Result<UniqueFd> mount_image_snapshot(const Folder& volume, const std::string& snapshot_id);
Result<std::map<std::string, std::uint64_t>> image_snapshot_space(const VolumeTree& pool,
                                                                  const Volume& volume);
Result<std::string> image_snapshot_users(const Folder& volume, const std::string& snapshot_id);

// image_build.cpp
Status create_image(const VolumeTree& pool, const Volume& volume);
Status clone_image(const VolumeTree& pool, const Volume& volume, const Volume& source,
                   const std::string& snapshot_id, const Progress& progress);

// image_resize.cpp
Status resize_image(const VolumeTree& pool, const Volume& volume, std::uint64_t size);
Result<CheckReport> check_image(const VolumeTree& pool, const Volume& volume, bool repair,
                                const Progress& progress);
// Resizes file and file system to `size` bytes, of an image that nobody else uses and that is not
// in its place yet.
Status resize_private_image(const LoopImage& image, const Superblock& superblock,
                            std::uint64_t size);

std::uint64_t whole_blocks(std::uint64_t size);  // rounds up

}  // namespace fairlead::volume
