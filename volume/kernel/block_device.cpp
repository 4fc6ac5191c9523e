#include "volume/kernel/block_device.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>

#include "base/unique_fd.h"
#include "volume/kernel/run_tool.h"

namespace fairlead::volume {

namespace {

using namespace std::chrono_literals;

constexpr off_t kBtrfsSuperblock = 64 << 10;

Result<UniqueFd> open_device(const std::string& path, int flags) {
  UniqueFd fd(::open(path.c_str(), flags | O_CLOEXEC | O_NONBLOCK));
  if (!fd) return fail_errno(errno, fmt::format("open the device {}", path));
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0 || !S_ISBLK(info.st_mode))
    return fail(Code::kInvalid, "{} is not a block device", path);
  return fd;
}

// Bytes beyond the end of a small file are zeros.
template <std::size_t N>
Status read_at(int fd, off_t offset, std::array<unsigned char, N>& bytes) {
  bytes.fill(0);
  if (::pread(fd, bytes.data(), bytes.size(), offset) < 0)
    return fail_errno(errno, "read a superblock");
  return {};
}

template <std::size_t N>
bool says(const std::array<unsigned char, N>& bytes, std::size_t at, std::string_view magic) {
  return std::memcmp(bytes.data() + at, magic.data(), magic.size()) == 0;
}

std::string hex_of(const unsigned char* bytes) {
  std::string text;
  for (int k = 0; k < 16; ++k) text += fmt::format("{:02x}", bytes[k]);
  return text;
}

// The value of one line "KEY=value" of blkid -o export.
std::string value_of(const std::string& text, const std::string& key) {
  const std::string wanted = "\n" + key + "=";
  const auto at = ("\n" + text).find(wanted);
  if (at == std::string::npos) return {};
  const auto begin = at + wanted.size() - 1;
  return text.substr(begin, text.find('\n', begin) - begin);
}

}  // namespace

Result<std::uint64_t> size_of_device(const std::string& path) {
  TRY(const auto fd, open_device(path, O_RDONLY));
  std::uint64_t size = 0;
  if (::ioctl(fd.get(), BLKGETSIZE64, &size) != 0)
    return fail_errno(errno, fmt::format("ask for the size of {}", path));
  return size;
}

Status check_unused(const std::string& path) {
  const auto fd = open_device(path, O_RDWR | O_EXCL);
  if (fd) return {};
  if (fd.error().sys_errno != EBUSY) return fail(fd.error());
  return fail(Error{Code::kInUse, EBUSY,
                    fmt::format("{} is in use: it is mounted, or part of another device", path)});
}

Result<std::string> content_of_device(const std::string& path) {
  TRY(const auto probed, run_tool({.action = fmt::format("look what is on {}", path),
                                   .argv = {"blkid", "-p", "-o", "export", "--", path},
                                   .deadline = 20s,
                                   .package = "util-linux",
                                   .accepted = {0, 2, 8}}));
  if (probed.exit_code == 2) return std::string();
  if (probed.exit_code == 8) return std::string("several file systems at once");
  const std::string type = value_of(probed.out, "TYPE"), table = value_of(probed.out, "PTTYPE");
  if (!type.empty()) return type;
  if (!table.empty()) return fmt::format("a partition table ({})", table);
  return std::string("something");
}

Result<std::optional<FsSignature>> read_signature(int fd) {
  std::array<unsigned char, 0x48> btrfs{};
  TRY_STATUS(read_at(fd, kBtrfsSuperblock, btrfs));
  if (says(btrfs, 0x40, "_BHRfS_M")) return FsSignature{"btrfs", hex_of(btrfs.data() + 0x20)};
  std::array<unsigned char, 48> xfs{};
  TRY_STATUS(read_at(fd, 0, xfs));
  if (says(xfs, 0, "XFSB")) return FsSignature{"xfs", hex_of(xfs.data() + 32)};
  return std::nullopt;
}

Status wipe_signatures(const std::string& path) {
  return status_of(run_tool({.action = fmt::format("take the signatures off {}", path),
                             .argv = {"wipefs", "--all", "--quiet", "--", path},
                             .deadline = 20s,
                             .package = "util-linux"}));
}

}  // namespace fairlead::volume
