#include "volume/backends/bind.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>

#include "base/fault.h"
#include "base/text.h"
#include "volume/backends/bind_roots.h"
#include "volume/backends/disk_room.h"
#include "volume/backends/folder_backend.h"
#include "volume/backends/mount_view.h"
#include "volume/backends/option_support.h"
#include "volume/backends/users.h"
#include "volume/kernel/copy_tree.h"

namespace fairlead::volume {

namespace {

constexpr std::string_view kBackend = "bind";

class BindBackend : public FolderBackend {
 public:
  BindBackend(std::string root, RootList bind_roots)
      : FolderBackend(std::move(root)), roots_(std::move(bind_roots)) {}

  std::string name() const override { return std::string(kBackend); }
  Status validate(const VolumeOptions& options) const override;
  Status create(const Volume& volume, Rollback& undo) override;
  std::string data_path(const Volume& volume) const override {
    return fmt::format("{}/{}", pool_.path_of(volume.id), kViewMount);
  }
  Result<std::string> mount(const Volume& volume) override;
  Result<VolumeStatus> status(const Volume& volume) override;
  Result<UniqueFd> open_data(const Volume& volume, const std::string& snapshot_id) override;
  Result<VolumeStatus> usage(const Volume& volume, const Progress& progress) override;

 private:
  Result<UniqueFd> open_device(const VolumeOptions& options) const;
  Result<std::string> users_in(const MountScan& scan, const Folder& folder) const override;

  BindRoots roots_;
  MountViews views_;
};

Result<UniqueFd> BindBackend::open_device(const VolumeOptions& options) const {
  TRY(auto device, roots_.open(options.device));
  struct stat info {};
  if (::fstat(device.get(), &info) != 0)
    return fail_errno(errno, fmt::format("look at {}", shown(options.device)));
  if (!S_ISDIR(info.st_mode))
    return fail(Code::kInvalid, "volume option \"device\": {} is not a folder",
                shown(options.device));
  return device;
}

Status BindBackend::validate(const VolumeOptions& options) const {
  TRY_STATUS(refuse_unsupported(kBackend, options, {"type", "device", "idmap"}));
  if (options.device.empty())
    return fail(Code::kInvalid,
                "backend bind needs volume option \"device\", the folder of the host");
  TRY_STATUS(MountViews::validate(kBackend, options));
  return status_of(open_device(options));
}

Status BindBackend::create(const Volume& volume, Rollback& undo) {
  if (const auto there = pool_.has(volume.id); there && *there) return {};
  TRY(const auto building, begin(volume, undo));
  return pool_.publish(volume, building);
}

Result<std::string> BindBackend::mount(const Volume& volume) {
  TRY(const auto folder, open_existing(volume));
  const VolumeOptions& options = volume.options;
  auto device = open_device(options);
  if (!device) {
    Error error = device.error();
    if (error.code == Code::kNotFound) error.code = Code::kIo;  // the volume itself exists
    return fail(std::move(error));
  }
  const bool recursive =
      std::ranges::find(options.mount_options, "rbind") != options.mount_options.end();
  TRY_STATUS(views_.mount(folder, device->get(), options,
                          recursive ? Depth::kWithMountsBeneath : Depth::kOne));
  return data_path(volume);
}

Result<std::string> BindBackend::users_in(const MountScan& scan, const Folder& folder) const {
  TRY(const auto place, mounted_at(scan, folder, kViewMount));
  return place ? strangers_text(scan, *place) : std::string();
}

Result<VolumeStatus> BindBackend::status(const Volume& volume) {
  VolumeStatus status{.backend = std::string(kBackend), .health = "ok"};
  const auto look = [&]() -> Status {
    TRY([[maybe_unused]] const auto device, open_device(volume.options));
    return tell_users(volume, status);
  };
  if (const auto seen = look(); !seen) set_health(status, seen.error());
  return status;
}

Result<UniqueFd> BindBackend::open_data(const Volume& volume, const std::string& snapshot_id) {
  if (!snapshot_id.empty()) return fail(Code::kNotFound, "backend bind has no snapshots");
  TRY(const auto device, open_device(volume.options));
  return open_beneath(device.get(), ".", O_RDONLY | O_DIRECTORY);
}

Result<VolumeStatus> BindBackend::usage(const Volume& volume, const Progress& progress) {
  TRY(auto status, status(volume));
  TRY(const auto data, open_data(volume, {}));
  TRY(const auto size, measure_tree(data.get(), [&](std::uint64_t bytes) {
        return !progress || progress(bytes, 0);
      }));
  status.used = size.bytes;
  status.inodes_used = size.inodes;
  return status;
}

}  // namespace

std::unique_ptr<Backend> make_bind_backend(std::string root, RootList bind_roots) {
  return std::make_unique<BindBackend>(std::move(root), std::move(bind_roots));
}

}  // namespace fairlead::volume
