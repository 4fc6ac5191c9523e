#include "volume/backends/device_roots.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>

#include "base/text.h"
#include "volume/kernel/folder.h"

namespace fairlead::volume {

namespace {

bool is_within(const std::string& path, const std::string& root) {
  return path == root || (path.starts_with(root) && path.size() > root.size() + 1 &&
                          (path[root.size()] == '/' || root.ends_with('/')));
}

bool only_root_writes(int folder) {
  struct stat info {};
  return ::fstat(folder, &info) == 0 && info.st_uid == 0 && (info.st_mode & 022) == 0;
}

// Whether the way to the device has no symbolic link and no "..", and the device is no link that
// somebody else may have made.
bool is_real(const std::string& path) {
  if (std::filesystem::path(path).lexically_normal().string() != path) return false;
  const std::size_t slash = path.rfind('/');
  const UniqueFd top(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!top || slash == path.npos) return false;
  const std::string way = path.substr(1, slash == 0 ? 0 : slash - 1);
  const auto folder = open_beneath(top.get(), way.empty() ? "." : way, O_PATH | O_DIRECTORY);
  if (!folder) return false;
  const std::string name = path.substr(slash + 1);
  if (name.empty()) return false;
  return only_root_writes(folder->get()) || open_beneath(folder->get(), name, O_PATH).has_value();
}

}  // namespace

Status DeviceRoots::check(const std::string& device) const {
  if (std::ranges::find(roots_, "/") != roots_.end()) return {};
  const std::string hint =
      "list it under \"device_roots\" in fairlead.json, or make the pool as root with: "
      "fairlead pool create";
  if (roots_.empty())
    return fail(Code::kInvalid, "device {}: no device of this host is allowed here; {}",
                shown(device), hint);
  const bool listed =
      std::ranges::any_of(roots_, [&](const std::string& root) { return is_within(device, root); });
  if (!listed)
    return fail(Code::kInvalid, "device {}: it is not among the \"device_roots\" {}; {}",
                shown(device), fmt::join(roots_, ", "), hint);
  if (is_real(device)) return {};
  return fail(Code::kInvalid,
              "device {}: a symbolic link or \"..\" stands in the way; write the real path",
              shown(device));
}

}  // namespace fairlead::volume
