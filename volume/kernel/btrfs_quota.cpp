#include "volume/kernel/btrfs_quota.h"

#include <endian.h>
#include <linux/btrfs.h>
#include <linux/btrfs_tree.h>
#include <sys/ioctl.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace fairlead::volume::btrfs {

namespace {

// Since kernel 6.7 (include/uapi/linux/btrfs.h, btrfs_tree.h); older headers lack them.
constexpr std::uint64_t kEnableSimple = 4;      // BTRFS_QUOTA_CTL_ENABLE_SIMPLE_QUOTA
constexpr std::uint64_t kSimpleMode = 1 << 3;   // BTRFS_QGROUP_STATUS_FLAG_SIMPLE_MODE
constexpr std::uint64_t kNoLimit = UINT64_MAX;  // clears the one that was set

// One item of the quota tree by its exact key; nothing when there is no such item or no such tree.
template <class Item>
Result<std::optional<Item>> find_item(int fd, std::uint32_t type, std::uint64_t offset) {
  btrfs_ioctl_search_args args{};
  args.key.tree_id = BTRFS_QUOTA_TREE_OBJECTID;
  args.key.min_type = args.key.max_type = type;
  args.key.min_offset = args.key.max_offset = offset;
  args.key.max_transid = UINT64_MAX;
  args.key.nr_items = 1;
  if (::ioctl(fd, BTRFS_IOC_TREE_SEARCH, &args) != 0) {
    if (errno == ENOENT) return std::nullopt;  // quotas were never switched on
    return fail_errno(errno, "read the quotas of btrfs");
  }
  if (args.key.nr_items == 0) return std::nullopt;
  btrfs_ioctl_search_header header{};
  std::memcpy(&header, args.buf, sizeof header);
  if (header.type != type || header.offset != offset || header.len < sizeof(Item))
    return std::nullopt;
  Item item{};
  std::memcpy(&item, args.buf + sizeof header, sizeof item);
  return item;
}

QuotaKind kind_of(const std::optional<btrfs_qgroup_status_item>& item) {
  const std::uint64_t flags = item ? le64toh(item->flags) : 0;
  if ((flags & BTRFS_QGROUP_STATUS_FLAG_ON) == 0) return QuotaKind::kNone;
  return (flags & kSimpleMode) != 0 ? QuotaKind::kSimple : QuotaKind::kFull;
}

Status switch_on(int fd) {
  btrfs_ioctl_quota_ctl_args args{.cmd = kEnableSimple, .status = 0};
  if (::ioctl(fd, BTRFS_IOC_QUOTA_CTL, &args) == 0) return {};
  if (errno != EINVAL && errno != EOPNOTSUPP) return fail_errno(errno, "switch on btrfs quotas");
  args.cmd = BTRFS_QUOTA_CTL_ENABLE;
  if (::ioctl(fd, BTRFS_IOC_QUOTA_CTL, &args) != 0)
    return fail_errno(errno, "switch on btrfs quotas");
  if (::ioctl(fd, BTRFS_IOC_QUOTA_RESCAN_WAIT) != 0)
    return fail_errno(errno, "wait for btrfs to count its quotas");
  return {};
}

}  // namespace

Result<QuotaKind> quota_kind(int fd) {
  TRY(const auto item, find_item<btrfs_qgroup_status_item>(fd, BTRFS_QGROUP_STATUS_KEY, 0));
  return kind_of(item);
}

Result<QuotaKind> enable_quota(int fd) {
  TRY(const QuotaKind before, quota_kind(fd));
  if (before != QuotaKind::kNone) return before;
  if (auto done = switch_on(fd); !done && done.error().code != Code::kExists)
    return fail(done.error());  // kExists: somebody else did, meanwhile
  TRY(const QuotaKind now, quota_kind(fd));
  if (now == QuotaKind::kNone)
    return fail(Code::kIo, "switch on btrfs quotas: the kernel said yes, and they are off");
  return now;
}

Status set_limit(int fd, std::uint64_t subvolume, std::optional<std::uint64_t> bytes) {
  btrfs_ioctl_qgroup_limit_args args{};
  args.qgroupid = subvolume;
  args.lim.flags = BTRFS_QGROUP_LIMIT_MAX_RFER;
  args.lim.max_rfer = bytes.value_or(kNoLimit);
  if (::ioctl(fd, BTRFS_IOC_QGROUP_LIMIT, &args) != 0)
    return fail_errno(errno, fmt::format("limit subvolume {}", subvolume));
  TRY(const auto kept, limit_of(fd, subvolume));
  if (kept != bytes)
    return fail(Code::kIo, "limit subvolume {} to {} bytes: the kernel kept {}", subvolume,
                bytes.value_or(0), kept.value_or(0));
  return {};
}

Result<std::optional<std::uint64_t>> limit_of(int fd, std::uint64_t subvolume) {
  TRY(const auto item, find_item<btrfs_qgroup_limit_item>(fd, BTRFS_QGROUP_LIMIT_KEY, subvolume));
  if (!item || (le64toh(item->flags) & BTRFS_QGROUP_LIMIT_MAX_RFER) == 0) return std::nullopt;
  const std::uint64_t limit = le64toh(item->max_rfer);
  if (limit == 0 || limit == kNoLimit) return std::nullopt;
  return limit;
}

Result<std::optional<std::uint64_t>> used_by(int fd, std::uint64_t subvolume) {
  TRY(const auto item, find_item<btrfs_qgroup_info_item>(fd, BTRFS_QGROUP_INFO_KEY, subvolume));
  if (!item) return std::nullopt;
  return le64toh(item->rfer);
}

}  // namespace fairlead::volume::btrfs
