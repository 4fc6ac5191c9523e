// The part of a mounted image in a snapshot of several volumes: frozen, its blocks shared, thawed.
#include <memory>
#include <optional>

#include "base/fault.h"
#include "volume/backends/image_verbs.h"
#include "volume/kernel/freeze.h"

namespace fairlead::volume {

namespace {

class ImagePart : public MomentPart {
 public:
  ImagePart(ImageDisk disk, Folder snapshots, std::string name)
      : disk_(std::move(disk)), snapshots_(std::move(snapshots)), name_(std::move(name)) {}

  How how() const override { return How::kHeld; }

  Status prepare(const Progress&) override {
    TRY(const auto superblock, disk_.verify());
    auto part = PartFile::make(snapshots_, name_);
    if (!part) return fail(part.error());
    part_.emplace(std::move(*part));
    fault_point("volume.image.snapshot-begun");
    TRY(const auto attached, attach_image(disk_.image(), superblock));
    TRY(root_, attached.fs.flushed([this] { return disk_.image().sync(); }));
    return {};
  }

  Status hold() override {
    auto frozen = Frozen::freeze(root_.get());
    if (!frozen) return fail(frozen.error());
    frozen_.emplace(std::move(*frozen));
    return {};
  }

  Status take() override { return disk_.share_into(part_->image()); }

  Status release() override {
    if (!frozen_) return {};
    const Status thawed = frozen_->thaw();
    frozen_.reset();
    return thawed;
  }

  Status finish() override { return part_->commit(); }

 private:
  ImageDisk disk_;
  Folder snapshots_;
  const std::string name_;
  std::optional<PartFile> part_;  // borrows the folder of the snapshots
  UniqueFd root_;
  std::optional<Frozen> frozen_;  // the first to go
};

}  // namespace

Result<std::unique_ptr<MomentPart>> begin_image_moment(const VolumeTree& pool, const Volume& volume,
                                                       const Snapshot& snapshot) {
  TRY(auto disk, ImageDisk::hold(pool, volume.id));
  TRY(const auto bound, disk.image().loop());
  if (!bound) return std::unique_ptr<MomentPart>();
  TRY(auto snapshots, disk.folder().ensure_folder(kSnapshots, 0700));
  return std::make_unique<ImagePart>(std::move(disk), std::move(snapshots), snapshot.id + ".img");
}

}  // namespace fairlead::volume
