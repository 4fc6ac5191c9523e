#include "volume/backends/bind_roots.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "base/text.h"
#include "volume/kernel/folder.h"

namespace fairlead::volume {

namespace {

void drop_slashes(std::string& path) {
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
}

bool is_beneath(const std::string& path, const std::string& root) {
  return root == "/"
             ? path.size() > 1
             : path.size() > root.size() + 1 && path.starts_with(root) && path[root.size()] == '/';
}

// Without slashes at their ends, the innermost first.
std::vector<std::string> in_order(std::vector<std::string> roots) {
  std::ranges::for_each(roots, drop_slashes);
  std::ranges::sort(roots, std::ranges::greater(), &std::string::size);
  return roots;
}

}  // namespace

Result<UniqueFd> BindRoots::open(const std::string& device) const {
  if (device.empty() || device.front() != '/')
    return fail(Code::kInvalid, "volume option \"device\": {} is not an absolute path",
                shown(device));
  const auto roots = in_order(roots_.now());
  std::string path = device;
  drop_slashes(path);
  if (roots.empty())
    return fail(
        Code::kInvalid,
        "volume option \"device\": {} is on this host, and no folder of it is allowed; list "
        "those that are under \"bind_roots\" in fairlead.json",
        shown(path));
  const auto root =
      std::ranges::find_if(roots, [&](const std::string& r) { return is_beneath(path, r); });
  if (root == roots.end())
    return fail(
        Code::kInvalid,
        "volume option \"device\": {} is beneath none of the folders that \"bind_roots\" in "
        "fairlead.json allows: {}",
        shown(path), fmt::join(roots, ", "));
  const UniqueFd top(::open(root->c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!top) return fail_errno(errno, fmt::format("open {} of \"bind_roots\"", *root));
  auto found = open_beneath(top.get(), path.substr(*root == "/" ? 1 : root->size() + 1), O_PATH);
  if (found) return found;
  Error error = found.error();
  error.text = fmt::format("volume option \"device\": open {}: {}", shown(path),
                           error.code == Code::kInvalid
                               ? "a symbolic link or \"..\" stands in the way; write the real path"
                               : error.text);
  return fail(std::move(error));
}

}  // namespace fairlead::volume
