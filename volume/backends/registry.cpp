#include "volume/backends/registry.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/magic.h>
#include <sys/vfs.h>

#include <algorithm>
#include <array>
#include <map>
#include <mutex>
#include <optional>

#include "base/text.h"
#include "base/unique_fd.h"
#include "volume/backends/bind.h"
#include "volume/backends/btrfs.h"
#include "volume/backends/dir.h"
#include "volume/backends/image.h"
#include "volume/backends/remote.h"
#include "volume/backends/tmpfs.h"
#include "volume/kernel/btrfs_quota.h"

namespace fairlead::volume {

namespace {

struct KnownBackend {
  std::string_view name;
  std::string_view instead;  // what to do instead where it is not available
};

constexpr std::array<KnownBackend, 8> kKnown{{
    {"dir", "leave the option out"},
    {"image", "leave the option out for a folder without a limit"},
    {"btrfs", "leave the option out; the volume folder may lie on btrfs all the same"},
    {"tmpfs", "give the container a tmpfs itself (docker run --tmpfs)"},
    {"bind", "bind the folder where the container mounts it (docker run -v /path:/path)"},
    {"nfs", "mount it on the host and bind it where the container mounts it"},
    {"cifs", "mount it on the host and bind it where the container mounts it"},
    {"mount", "mount it on the host and bind it where the container mounts it"},
}};

using BackendMap = std::map<std::string, std::unique_ptr<Backend>>;

BackendMap backends_of_pool(const std::string& root) {
  BackendMap map;
  map.emplace("dir", make_dir_backend(root));
  map.emplace("image", make_image_backend(root));
  map.emplace("btrfs", make_btrfs_backend(root));
  return map;
}

BackendMap backends_of_host(const BackendSettings& settings) {
  const std::string& root = settings.volume_dir;
  BackendMap map = backends_of_pool(root);
  map.emplace("tmpfs", make_tmpfs_backend(root));
  map.emplace("bind", make_bind_backend(root, settings.bind_roots));
  for (const char* name : {"nfs", "cifs", "mount"})
    map.emplace(name, make_remote_backend(name, root, settings.bind_roots));
  return map;
}

tl::unexpected<Error> no_backend(const std::string& name) {
  const auto known = std::ranges::find(kKnown, name, &KnownBackend::name);
  if (known != kKnown.end())
    return fail(Code::kUnsupported, "volume backend \"{}\" is not available here; {}", name,
                known->instead);
  std::vector<std::string_view> names;
  for (const KnownBackend& row : kKnown) names.push_back(row.name);
  const std::string closest =
      closest_word(std::string_view(name).substr(0, 64), names.data(), names.size());
  return fail(Code::kInvalid, "unknown volume backend \"{}\"; {}", shown(name),
              closest.empty() ? fmt::format("known are {}", fmt::join(names, ", "))
                              : fmt::format("did you mean \"{}\"?", closest));
}

Result<Backend*> find_in(const BackendMap& map, const std::string& name) {
  if (const auto found = map.find(name); found != map.end()) return found->second.get();
  return no_backend(name);
}

// --- what a file system can do

struct FsKind {
  long magic;
  std::string_view name;
};
constexpr std::array<FsKind, 6> kFsKinds{{{EXT4_SUPER_MAGIC, "ext4"},
                                          {XFS_SUPER_MAGIC, "xfs"},
                                          {BTRFS_SUPER_MAGIC, "btrfs"},
                                          {TMPFS_MAGIC, "tmpfs"},
                                          {OVERLAYFS_SUPER_MAGIC, "overlayfs"},
                                          {F2FS_SUPER_MAGIC, "f2fs"}}};

struct FsHere {
  std::string name;
  bool limits_hold = true;  // also for what is made inside of what is limited
};

// Without the rights to ask, or on an error, the limit itself will tell.
bool limits_hold_on_btrfs(const std::string& path) {
  const UniqueFd top(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return !top || btrfs::limits_hold_inside(top.get()).value_or(true);
}

// The file system of the folder, or of the place where it will be created.
FsHere fs_of(std::string path) {
  struct statfs info {};
  while (::statfs(path.c_str(), &info) != 0) {
    const auto slash = path.rfind('/');
    if (path.empty() || slash == std::string::npos) return {"an unknown file system"};
    path = slash == 0 ? "/" : path.substr(0, slash);
    if (path == "/" && ::statfs("/", &info) != 0) return {"an unknown file system"};
  }
  const auto kind = std::ranges::find(kFsKinds, static_cast<long>(info.f_type), &FsKind::magic);
  if (kind == kFsKinds.end()) return {fmt::format("a file system of type {:#x}", info.f_type)};
  return {std::string(kind->name), info.f_type != BTRFS_SUPER_MAGIC || limits_hold_on_btrfs(path)};
}

// The first option that only an image can honour here; empty when there is none.
std::string_view image_request(const VolumeOptions& options, bool on_btrfs) {
  if (!options.fstype.empty()) return "fstype";
  if (!options.encrypt.empty()) return "encrypt";
  if (options.inodes) return "inodes";
  if (!options.discard) return "discard";
  if (on_btrfs) return {};
  if (options.size) return "size";
  if (options.snapshots != Schedule{}) return "snapshots";
  return {};
}

struct Default {
  std::string name, reason;
};
Default default_backend(const VolumeOptions& options, const std::string& place,
                        const FsHere& here) {
  const auto& [fs, limits_hold] = here;
  const bool on_btrfs = fs == "btrfs";
  const std::string_view request = image_request(options, on_btrfs);
  if (!request.empty())
    return {"image", fmt::format("{} asks for an image: {} is on {}, which has that for no folder",
                                 request, place, fs)};
  if (on_btrfs && options.size && !limits_hold)
    return {"image",
            fmt::format("size asks for an image: {} is on btrfs with full quotas (simple ones need "
                        "kernel 6.7), whose limits do not hold for subvolumes made inside",
                        place)};
  if (on_btrfs)
    return {"btrfs", fmt::format("{} is on btrfs: limits, snapshots and clones at once", place)};
  return {"dir", fmt::format("the default of this host: {} is on {}, and nothing asks for more "
                             "than a folder",
                             place, fs)};
}

class HostBackends : public BackendRegistry {
 public:
  HostBackends(BackendSettings settings, PoolSide pools)
      : settings_(std::move(settings)), pools_(pools), here_(backends_of_host(settings_)) {}

  Result<Choice> choose(const VolumeOptions& options) override;
  Result<Backend*> find(const std::string& name) override { return find_in(here_, name); }
  Result<Backend*> find(const Volume& volume) override;
  std::vector<Backend*> all() override;
  std::vector<Tree> trees() override;

 private:
  struct PoolChoice {
    const BackendMap* backends;
    std::string root, text;  // "the volume folder", "pool fast"
  };
  struct OpenPool {
    VolumePool pool;
    BackendMap backends;
  };
  Result<PoolChoice> place_of(const std::string& pool);
  Result<PoolChoice> open_pool(const VolumePool& pool);

  BackendSettings settings_;
  PoolSide pools_;
  BackendMap here_;
  std::mutex guard_;
  std::map<std::string, OpenPool> open_;  // by id; those that were used
};

// Entries are never removed, because somebody may be using their backends.
Result<HostBackends::PoolChoice> HostBackends::place_of(const std::string& name) {
  if (name.empty()) return PoolChoice{&here_, settings_.volume_dir, "the volume folder"};
  if (pools_.catalog == nullptr || pools_.disks == nullptr)
    return fail(Code::kUnsupported, "pool \"{}\": there are no pools here; leave pool= out",
                shown(name));
  TRY(const auto pool, pools_.catalog->find(name));
  return open_pool(pool);
}

Result<HostBackends::PoolChoice> HostBackends::open_pool(const VolumePool& pool) {
  TRY(const auto root, pools_.disks->mount(pool));
  const std::scoped_lock hold(guard_);
  auto open = open_.find(pool.id);
  if (open == open_.end())
    open = open_.emplace(pool.id, OpenPool{pool, backends_of_pool(root)}).first;
  return PoolChoice{&open->second.backends, root, fmt::format("pool {}", pool.name.str())};
}

Result<BackendRegistry::Choice> HostBackends::choose(const VolumeOptions& options) {
  TRY(const auto place, place_of(options.pool));
  const FsHere fs = fs_of(place.root);
  if (options.backend.empty()) {
    auto [name, reason] = default_backend(options, place.text, fs);
    TRY(Backend* const backend, find_in(*place.backends, name));
    return Choice{std::move(name), options.pool, backend, std::move(reason)};
  }
  const std::string& name = options.backend;
  if (!options.pool.empty() && here_.contains(name) && !place.backends->contains(name))
    return fail(Code::kInvalid, "backend {} keeps no data in a pool; leave pool={} out", name,
                options.pool);
  if (name == "btrfs" && fs.name != "btrfs")
    return fail(Code::kUnsupported,
                "backend btrfs is not available: {} is on {}; make a pool (fairlead pool create) "
                "and use pool=<name>",
                place.text, fs.name);
  TRY(Backend* const backend, find_in(*place.backends, name));
  std::string reason = fmt::format("asked for with backend={}", name);
  if (name == "tmpfs") reason += "; it is memory: the data goes with the last unmount";
  return Choice{name, options.pool, backend, std::move(reason)};
}

Result<Backend*> HostBackends::find(const Volume& volume) {
  TRY(const auto place, place_of(volume.pool));
  return find_in(*place.backends, volume.backend);
}

// The sweep of the image backend covers its whole tree and tidies images besides. A pool that is
// not mounted was not used since the boot; what is due in it waits for its first use.
std::vector<Backend*> HostBackends::all() {
  std::vector<Backend*> found{here_.at("image").get()};
  if (pools_.catalog == nullptr || pools_.disks == nullptr) return found;
  const auto finished = pools_.catalog->finished();
  for (const VolumePool& pool : finished.value_or(std::vector<VolumePool>{})) {
    if (!pools_.disks->is_mounted(pool).value_or(false)) continue;
    const auto place = place_of(pool.name.str());
    if (place) found.push_back(place->backends->at("image").get());
  }
  return found;
}

// With those of pools that have no record, and of pools that were not used since the boot: a volume
// that has lost its record may be in any of them.
std::vector<BackendRegistry::Tree> HostBackends::trees() {
  std::vector<Tree> found{{{}, here_.at("image").get()}};
  if (pools_.catalog == nullptr || pools_.disks == nullptr) return found;
  auto pools = pools_.catalog->finished().value_or(std::vector<VolumePool>{});
  for (VolumePool& lost : pools_.catalog->lost().value_or(std::vector<VolumePool>{}))
    pools.push_back(std::move(lost));
  for (const VolumePool& pool : pools)
    if (const auto place = open_pool(pool); place)
      found.push_back({pool.name.str(), place->backends->at("image").get()});
  return found;
}

}  // namespace

std::unique_ptr<BackendRegistry> make_backends(BackendSettings settings, PoolSide pools) {
  return std::make_unique<HostBackends>(std::move(settings), pools);
}

}  // namespace fairlead::volume
