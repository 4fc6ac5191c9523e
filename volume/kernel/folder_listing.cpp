#include "volume/kernel/folder_listing.h"

#include <dirent.h>
#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "volume/kernel/walk.h"

namespace fairlead::volume {

void FolderNames::add(const char* name, bool is_folder) {
  bytes_ += is_folder ? kFolder : kOther;
  starts_.push_back(bytes_.size());
  bytes_.append(name).push_back('\0');
}

void FolderNames::sort() {
  std::ranges::sort(starts_, [this](std::size_t left, std::size_t right) {
    return std::strcmp(bytes_.data() + left, bytes_.data() + right) < 0;
  });
}

bool FolderNames::has(std::string_view name) const {
  const auto found = std::ranges::lower_bound(
      starts_, name, {}, [this](std::size_t start) { return std::string_view(&bytes_[start]); });
  return found != starts_.end() && std::string_view(&bytes_[*found]) == name;
}

Result<FolderNames> FolderNames::of(int folder, std::size_t most) {
  UniqueFd again(::openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!again) return fail_errno(errno, "list");
  const Directory dir(::fdopendir(again.get()));
  if (!dir) return fail_errno(errno, "list");
  again.release();
  FolderNames names;
  errno = 0;
  while (const dirent* entry = ::readdir(dir.get())) {
    const std::string_view name(entry->d_name);
    if (name == "." || name == "..") continue;
    if (names.size() == most) return fail(Code::kExhausted, "list: there are very many");
    names.add(entry->d_name, entry->d_type == DT_DIR);
  }
  if (errno != 0) return fail_errno(errno, "list");
  names.sort();
  return names;
}

bool stat_entry(int folder, const char* name, struct statx& info) {
  return ::statx(folder, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT,
                 STATX_BASIC_STATS | STATX_MNT_ID, &info) == 0;
}

}  // namespace fairlead::volume
