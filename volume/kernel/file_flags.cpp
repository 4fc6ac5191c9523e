#include "volume/kernel/file_flags.h"

#include <fmt/format.h>
#include <sys/ioctl.h>

#include <array>
#include <cerrno>
#include <utility>

namespace fairlead::volume {

std::uint32_t flags_of(int fd) {
  int flags = 0;
  if (::ioctl(fd, FS_IOC_GETFLAGS, &flags) != 0) return 0;
  return static_cast<std::uint32_t>(flags) & kKeptFlags;
}

namespace {

Status change(int fd, std::uint32_t more, std::uint32_t less) {
  int flags = 0;
  if (::ioctl(fd, FS_IOC_GETFLAGS, &flags) != 0) return fail_errno(errno, "read its flags");
  const auto wanted = static_cast<int>((static_cast<std::uint32_t>(flags) | more) & ~less);
  if (wanted == flags) return {};
  if (::ioctl(fd, FS_IOC_SETFLAGS, &wanted) != 0)
    return fail_errno(errno, fmt::format("make it {}{}", more == 0 ? "no longer " : "",
                                         names_of_flags(more | less)));
  return {};
}

Status set_more(int fd, std::uint32_t more) { return change(fd, more, 0); }

}  // namespace

Status add_flags(int fd, std::uint32_t flags) {
  if ((flags & FS_NOCOW_FL) != 0) (void)set_more(fd, FS_NOCOW_FL);
  const std::uint32_t others = flags & kKeptFlags & ~std::uint32_t{FS_NOCOW_FL};
  return others == 0 ? Status() : set_more(fd, others);
}

Status drop_flags(int fd, std::uint32_t flags) {
  return change(fd, 0, flags & kKeptFlags & ~std::uint32_t{FS_NOCOW_FL});
}

std::string names_of_flags(std::uint32_t flags) {
  constexpr std::array<std::pair<std::uint32_t, std::string_view>, 7> kNames{
      {{FS_IMMUTABLE_FL, "immutable"},
       {FS_APPEND_FL, "append-only"},
       {FS_NODUMP_FL, "nodump"},
       {FS_NOATIME_FL, "noatime"},
       {FS_SYNC_FL, "sync"},
       {FS_DIRSYNC_FL, "dirsync"},
       {FS_NOCOW_FL, "nocow"}}};
  std::string text;
  for (const auto& [flag, name] : kNames)
    if ((flags & flag) != 0) text += (text.empty() ? "" : ", ") + std::string(name);
  return text;
}

}  // namespace fairlead::volume
