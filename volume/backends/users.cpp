#include "volume/backends/users.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <set>

#include "volume/backends/snapshot_views.h"

namespace fairlead::volume {

namespace {

constexpr std::size_t kUsersShown = 3;

std::vector<std::string> describe_some(const std::vector<MountUser>& users) {
  std::vector<std::string> texts;
  for (std::size_t k = 0; k < std::min(users.size(), kUsersShown); ++k)
    texts.push_back(describe(users[k]));
  if (users.size() > kUsersShown)
    texts.push_back(fmt::format("{} more", users.size() - kUsersShown));
  return texts;
}

bool is_folder(const std::string& path, const struct stat& folder) {
  struct stat there {};
  return ::stat(path.c_str(), &there) == 0 && folder.st_dev == there.st_dev &&
         folder.st_ino == there.st_ino;
}

// Another namespace that gets our mounts has both by the paths that they have here.
bool is_twin(const MountUser& user, const Folder& volume, const OwnMounts& own) {
  struct stat here {};
  if (::fstat(volume.fd(), &here) != 0) return false;
  return std::ranges::any_of(own, [&](const std::string& name) {
    if (!user.mount_point.ends_with("/" + name)) return false;
    const std::string folder =
        user.mount_point.substr(0, user.mount_point.size() - name.size() - 1);
    return is_folder(folder, here) ||
           (user.pid != 0 && is_folder(fmt::format("/proc/{}/root{}", user.pid, folder), here));
  });
}

bool is_view(const std::string& mount_point, const std::string& base) {
  return mount_point.starts_with(fmt::format("{}/{}/", base, snapshot_views::kFolder));
}

bool contains(const std::vector<MountUser>& users, const MountUser& user) {
  return std::ranges::any_of(users, [&](const MountUser& one) {
    return one.pid == user.pid && one.mount_point == user.mount_point;
  });
}

}  // namespace

void leave_out_twins(std::vector<MountUser>& users, const Folder& volume, const OwnMounts& own) {
  std::erase_if(users, [&](const MountUser& user) { return is_twin(user, volume, own); });
}

FsPlace snapshots_place(FsPlace volume, const std::string& snapshot_id) {
  if (volume.path != "/") volume.path += '/';
  volume.path += "snapshots";
  if (!snapshot_id.empty()) volume.path += "/" + snapshot_id;
  return volume;
}

std::string describe_users(const std::vector<MountUser>& users) {
  return fmt::format("{}", fmt::join(describe_some(users), ", "));
}

Result<std::string> snapshot_users_text(const MountScan& scan, const Folder& volume,
                                        const FsPlace& place) {
  TRY(const auto base, MountScan::path_of(volume.fd()));
  auto users = scan.users_of(place);
  std::erase_if(users, [&](const MountUser& user) { return is_view(user.mount_point, base); });
  return describe_users(users);
}

Result<std::string> users_text(const MountScan& scan, const Folder& volume,
                               const std::vector<FsPlace>& places, const OwnMounts& own,
                               const std::optional<FsPlace>& except) {
  TRY(const auto base, MountScan::path_of(volume.fd()));
  const auto is_own = [&](const std::string& mount_point) {
    return is_view(mount_point, base) || std::ranges::any_of(own, [&](const std::string& name) {
             return mount_point == base + "/" + name;
           });
  };
  const auto others = except ? scan.users_of(*except) : std::vector<MountUser>();
  std::vector<MountUser> users;
  for (const FsPlace& place : places)
    for (MountUser& user : scan.users_of(place))
      if (!is_own(user.mount_point) && !is_twin(user, volume, own) && !contains(others, user))
        users.push_back(std::move(user));
  auto texts = describe_some(users);
  TRY(const auto inside, scan.mounted_inside(volume.fd()));
  const auto stranger = std::ranges::find_if_not(inside, is_own);
  if (stranger != inside.end())
    texts.push_back(fmt::format("something is mounted inside it at {}", *stranger));
  return fmt::format("{}", fmt::join(texts, ", "));
}

std::string strangers_text(const MountScan& scan, const FsPlace& place) {
  std::set<std::string> of_host;
  const auto all = scan.users_of(place);
  for (const MountUser& user : all)
    if (user.pid == 0) of_host.insert(user.mount_point);
  std::vector<MountUser> users;
  for (const MountUser& user : all)
    if (!of_host.contains(user.mount_point)) users.push_back(user);
  return describe_users(users);
}

Result<std::optional<FsPlace>> mounted_at(const MountScan& scan, const Folder& volume,
                                          const std::string& name) {
  TRY(const auto base, MountScan::path_of(volume.fd()));
  return scan.mounted_at(base + "/" + name);
}

}  // namespace fairlead::volume
