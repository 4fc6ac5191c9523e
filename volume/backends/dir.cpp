#include "volume/backends/dir.h"

#include <fcntl.h>

#include <algorithm>
#include <array>

#include "base/fault.h"
#include "volume/api/text.h"
#include "volume/backends/pool_folder.h"

namespace fairlead::volume {

namespace {

constexpr std::string_view kBackend = "dir";
constexpr std::size_t kUsersShown = 3;

// What a plain folder is anyway.
constexpr std::array<std::string_view, 5> kHarmless{"defaults", "dev", "exec", "rw", "suid"};

class DirBackend : public Backend {
 public:
  explicit DirBackend(std::string root) : pool_(std::move(root)) {}

  std::string name() const override { return std::string(kBackend); }
  Status validate(const VolumeOptions& options) const override;
  Status create(const Volume& volume, Rollback& undo) override;
  std::string data_path(const Volume& volume) const override { return pool_.data_path(volume.id); }
  Status discard(const Volume& volume) override { return pool_.discard(volume.id); }
  Status remove(const Volume& volume) override { return pool_.to_trash(volume.id, volume.deleted); }
  Result<TrashState> purge(const Volume& volume, const StopRequest& stop) override {
    return pool_.purge(volume.id, volume.deleted, stop);
  }
  Result<std::string> mount(const Volume& volume) override;
  Status unmount(const Volume&) override { return {}; }  // nothing was mounted
  Result<std::string> users(const Volume& volume) override;
  Result<VolumeStatus> status(const Volume& volume) override;
  Status restore(const Volume& volume) override {
    return pool_.from_trash(volume.id, volume.deleted);
  }
  Result<UniqueFd> open_data(const Volume& volume, const std::string& snapshot_id) override;
  ReconcileReport sweep(long long now,
                        const std::function<Result<bool>(const std::string& id)>& is_known,
                        const StopRequest& stop) override {
    return pool_.sweep(now, is_known, stop);
  }

 private:
  Result<std::string> users_in(const MountScan& scan, const Folder& folder) const;
  Result<Folder> open_data(const Volume& volume) const;

  PoolFolder pool_;
  RecentMountScan recent_;
};

Status DirBackend::validate(const VolumeOptions& options) const {
  if (options.size || options.inodes)
    return fail(Code::kUnsupported,
                "volume option \"{}\" is not available with backend dir: a folder has no limit of "
                "its own; leave it out, or limit the disk below {}",
                options.size ? "size" : "inodes", pool_.root());
  for (const std::string& word : options.mount_options)
    if (std::ranges::find(kHarmless, word) == kHarmless.end())
      return fail(Code::kUnsupported,
                  "volume option o={} is not available with backend dir: nothing is mounted; set "
                  "it where the container mounts the volume",
                  shown(word));
  return {};
}

Status DirBackend::create(const Volume& volume, Rollback& undo) {
  if (const auto there = pool_.has(volume.id); there && *there) return {};
  TRY(const auto options, parse_options(volume.options));
  undo.push(
      [this, volume] { (void)pool_.discard(volume.id); });  // what stays is found by reconcile
  TRY(const auto building, pool_.begin(volume.id));
  fault_point("volume.build.begun");
  TRY(const auto data, building.make_folder("_data", 0700));
  TRY_STATUS(data.set_owner(options.uid, options.gid));
  TRY_STATUS(data.set_mode(options.mode));  // after the owner: chown(2) takes setuid and setgid off
  TRY_STATUS(data.sync());
  return pool_.publish(volume, building);
}

Result<Folder> DirBackend::open_data(const Volume& volume) const {
  auto data = pool_.open(volume.id).and_then(
      [](const Folder& folder) { return tl::expected<Folder, Error>(folder.folder("_data")); });
  if (data) return std::move(*data);
  const std::string path = pool_.data_path(volume.id);
  if (data.error().code == Code::kNotFound)
    return fail(Error{Code::kIo, data.error().sys_errno,
                      fmt::format("the data folder {} is missing: it was moved or deleted by hand; "
                                  "put it back, or remove the volume",
                                  path)});
  return fail(with_context(data.error(), fmt::format("the data folder {} cannot be opened", path)));
}

Result<UniqueFd> DirBackend::open_data(const Volume& volume, const std::string& snapshot_id) {
  if (!snapshot_id.empty()) return Backend::open_data(volume, snapshot_id);
  TRY(const auto data, open_data(volume));
  return open_beneath(data.fd(), ".", O_RDONLY | O_DIRECTORY);
}

Result<std::string> DirBackend::mount(const Volume& volume) {
  TRY([[maybe_unused]] const auto data, open_data(volume));
  return pool_.data_path(volume.id);
}

Result<std::string> DirBackend::users_in(const MountScan& scan, const Folder& folder) const {
  TRY(const auto place, scan.place_of(folder.fd()));
  const auto users = scan.users_of(place);
  std::vector<std::string> texts;
  for (std::size_t k = 0; k < std::min(users.size(), kUsersShown); ++k)
    texts.push_back(describe(users[k]));
  if (users.size() > kUsersShown)
    texts.push_back(fmt::format("{} more", users.size() - kUsersShown));
  TRY(const auto inside, scan.mounted_inside(folder.fd()));
  if (!inside.empty())
    texts.push_back(fmt::format("something is mounted inside it at {}", inside.front()));
  return fmt::format("{}", fmt::join(texts, ", "));
}

Result<std::string> DirBackend::users(const Volume& volume) {
  const auto folder = pool_.open(volume.id);
  if (!folder && folder.error().code == Code::kNotFound) return std::string();
  if (!folder) return fail(folder.error());
  TRY(const auto scan, MountScan::take());
  return users_in(scan, *folder);
}

Result<VolumeStatus> DirBackend::status(const Volume& volume) {
  VolumeStatus status{.backend = std::string(kBackend), .health = "ok"};
  const auto data = open_data(volume);
  if (!data) {
    status.health = data.error().text;
    return status;
  }
  const auto look = [&]() -> Result<std::string> {
    TRY(const auto scan, recent_.get());
    TRY(const auto folder, pool_.open(volume.id));
    return users_in(*scan, folder);
  };
  const auto users = look();
  if (users)
    status.in_use = !users->empty();
  else
    status.health = users.error().text;
  return status;
}

}  // namespace

std::unique_ptr<Backend> make_dir_backend(std::string root) {
  return std::make_unique<DirBackend>(std::move(root));
}

}  // namespace fairlead::volume
