#include "volume/kernel/btrfs_quota.h"

#include <endian.h>
#include <linux/btrfs.h>
#include <linux/btrfs_tree.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

#include "volume/kernel/btrfs.h"
#include "volume/kernel/btrfs_search.h"

namespace fairlead::volume::btrfs {

namespace {

// Since kernel 6.7 (include/uapi/linux/btrfs.h, btrfs_tree.h); older headers lack these two.
constexpr std::uint64_t kEnableSimple = 4;      // BTRFS_QUOTA_CTL_ENABLE_SIMPLE_QUOTA
constexpr std::uint64_t kSimpleMode = 1 << 3;   // BTRFS_QGROUP_STATUS_FLAG_SIMPLE_MODE
constexpr std::uint64_t kNoLimit = UINT64_MAX;  // clears a limit

// The number of the qgroup 1/<id>. The qgroup 0/<id>, of the subvolume alone, has the subvolume's
// id as its number.
std::uint64_t group_of(std::uint64_t subvolume) {
  return std::uint64_t{1} << BTRFS_QGROUP_LEVEL_SHIFT | subvolume;
}
std::uint64_t subvolume_of(std::uint64_t group) {
  return group & ((std::uint64_t{1} << BTRFS_QGROUP_LEVEL_SHIFT) - 1);
}

// One item of the quota tree by its exact key; std::nullopt when there is no such item or no such
// tree.
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

Result<bool> limits_hold_inside(int fd) {
  TRY(const QuotaKind kind, quota_kind(fd));
  if (kind != QuotaKind::kNone) return kind == QuotaKind::kSimple;
  const std::string features = "/sys/fs/btrfs/features";
  return ::access((features + "/simple_quota").c_str(), F_OK) == 0 ||
         ::access(features.c_str(), F_OK) != 0;
}

Result<QuotaKind> enable_quota(int fd) {
  TRY(const QuotaKind before, quota_kind(fd));
  if (before != QuotaKind::kNone) return before;
  if (auto done = switch_on(fd); !done && done.error().code != Code::kExists)
    return fail(done.error());  // kExists: somebody else did so meanwhile
  TRY(const QuotaKind now, quota_kind(fd));
  if (now == QuotaKind::kNone)
    return fail(Code::kIo, "switch on btrfs quotas: the kernel said yes, and they are off");
  return now;
}

namespace {

// --- groups

Result<std::vector<std::uint64_t>> members_of(int fd, std::uint64_t group) {
  std::vector<std::uint64_t> members;  // ascending
  const ItemsOf relations{
      .tree = BTRFS_QUOTA_TREE_OBJECTID, .object = group, .type = BTRFS_QGROUP_RELATION_KEY};
  TRY_STATUS(each_item(fd, relations, [&](std::uint64_t member, std::string_view) {
    if (member < group) members.push_back(member);  // each relation is stored in both directions
  }));
  return members;
}

bool has(const std::vector<std::uint64_t>& members, std::uint64_t one) {
  return std::ranges::binary_search(members, one);
}

// The qgroup that counts for the subvolume: its group 1/<id> if the subvolume is a member, else
// 0/<id>.
Result<std::uint64_t> counting(int fd, std::uint64_t subvolume) {
  TRY(const auto members, members_of(fd, group_of(subvolume)));
  return has(members, subvolume) ? group_of(subvolume) : subvolume;
}

enum class Relation : std::uint64_t { kNone = 0, kMember = 1 };

// Returns 0 or the errno.
int relate(int fd, std::uint64_t member, std::uint64_t group, Relation relation) {
  btrfs_ioctl_qgroup_assign_args args{};
  args.assign = static_cast<std::uint64_t>(relation);
  args.src = member;
  args.dst = group;
  return ::ioctl(fd, BTRFS_IOC_QGROUP_ASSIGN, &args) < 0 ? errno : 0;
}

Status join(int fd, std::uint64_t subvolume, std::uint64_t group) {
  const int failed = relate(fd, subvolume, group, Relation::kMember);
  if (failed == 0 || failed == EEXIST) return {};
  return fail_errno(failed, fmt::format("put subvolume {} under a limit", subvolume));
}

Status make_group(int fd, std::uint64_t subvolume) {
  btrfs_ioctl_qgroup_create_args args{.create = 1, .qgroupid = group_of(subvolume)};
  if (::ioctl(fd, BTRFS_IOC_QGROUP_CREATE, &args) == 0) return {};
  if (errno != EEXIST) return fail_errno(errno, fmt::format("make the qgroup 1/{}", subvolume));
  TRY(const auto members, members_of(fd, args.qgroupid));
  if (members.empty() || has(members, subvolume)) return {};
  return fail(Code::kConflict,
              "the qgroup 1/{} of btrfs is in use for subvolume {}; remove it (btrfs qgroup "
              "destroy), or choose another number for it",
              subvolume, members.front());
}

// Puts the subvolume into the group before those inside it, because those created meanwhile then
// join automatically.
Status gather(int fd, std::uint64_t subvolume) {
  const std::uint64_t group = group_of(subvolume);
  TRY(const auto members, members_of(fd, group));
  if (!has(members, subvolume)) {
    TRY_STATUS(make_group(fd, subvolume));
    TRY_STATUS(join(fd, subvolume, group));
  }
  TRY(const auto inner, inner_ids(fd, subvolume));
  for (const std::uint64_t one : inner) {
    if (has(members, one)) continue;
    const auto joined = join(fd, one, group);
    if (!joined && joined.error().sys_errno != EINVAL) return joined;  // EINVAL: gone meanwhile
  }
  return {};
}

// --- limits of a qgroup

Result<std::optional<std::uint64_t>> limit_of_group(int fd, std::uint64_t group) {
  TRY(const auto item, find_item<btrfs_qgroup_limit_item>(fd, BTRFS_QGROUP_LIMIT_KEY, group));
  if (!item || (le64toh(item->flags) & BTRFS_QGROUP_LIMIT_MAX_RFER) == 0) return std::nullopt;
  const std::uint64_t limit = le64toh(item->max_rfer);
  if (limit == 0 || limit == kNoLimit) return std::nullopt;
  return limit;
}

Status limit_group(int fd, std::uint64_t group, std::optional<std::uint64_t> bytes) {
  TRY(const auto before, limit_of_group(fd, group));
  if (before == bytes) return {};
  btrfs_ioctl_qgroup_limit_args args{};
  args.qgroupid = group;
  args.lim.flags = BTRFS_QGROUP_LIMIT_MAX_RFER;
  args.lim.max_rfer = bytes.value_or(kNoLimit);
  const std::string what =
      fmt::format("limit the qgroup {}/{}", btrfs_qgroup_level(group), subvolume_of(group));
  if (::ioctl(fd, BTRFS_IOC_QGROUP_LIMIT, &args) != 0) return fail_errno(errno, what);
  TRY(const auto kept, limit_of_group(fd, group));
  if (kept != bytes)
    return fail(Code::kIo, "{} to {} bytes: the kernel kept {}", what, bytes.value_or(0),
                kept.value_or(0));
  return {};
}

}  // namespace

Status set_limit(int fd, std::uint64_t subvolume, std::optional<std::uint64_t> bytes) {
  TRY(const QuotaKind kind, quota_kind(fd));
  if (kind != QuotaKind::kSimple) return limit_group(fd, subvolume, bytes);
  TRY_STATUS(gather(fd, subvolume));
  TRY_STATUS(limit_group(fd, group_of(subvolume), bytes));
  return limit_group(fd, subvolume, std::nullopt);  // last, so that one of the limits always holds
}

Result<std::optional<std::uint64_t>> limit_of(int fd, std::uint64_t subvolume) {
  TRY(const std::uint64_t group, counting(fd, subvolume));
  TRY(const auto limit, limit_of_group(fd, group));
  if (limit || group == subvolume) return limit;
  return limit_of_group(fd, subvolume);
}

Result<bool> needs_joining(int fd, std::uint64_t subvolume) {
  TRY(const QuotaKind kind, quota_kind(fd));
  if (kind != QuotaKind::kSimple) return false;
  TRY(const auto members, members_of(fd, group_of(subvolume)));
  TRY(const auto own, limit_of_group(fd, subvolume));
  if (own || !has(members, subvolume)) return true;
  TRY(const auto inner, inner_ids(fd, subvolume));
  return std::ranges::any_of(inner, [&](std::uint64_t one) { return !has(members, one); });
}

Status forget_limit(int fd, std::uint64_t subvolume) {
  TRY(const auto members, members_of(fd, group_of(subvolume)));
  if (has(members, subvolume)) {
    for (const std::uint64_t member : members) {
      const int failed = relate(fd, member, group_of(subvolume), Relation::kNone);
      if (failed != 0 && failed != ENOENT)
        return fail_errno(failed, fmt::format("take subvolume {} out of a limit", member));
    }
    btrfs_ioctl_qgroup_create_args args{.create = 0, .qgroupid = group_of(subvolume)};
    if (::ioctl(fd, BTRFS_IOC_QGROUP_CREATE, &args) != 0 && errno != ENOENT)
      return fail_errno(errno, fmt::format("remove the qgroup 1/{}", subvolume));
  }
  return limit_group(fd, subvolume, std::nullopt);
}

Result<std::optional<std::uint64_t>> used_by(int fd, std::uint64_t subvolume) {
  TRY(const std::uint64_t group, counting(fd, subvolume));
  TRY(const auto item, find_item<btrfs_qgroup_info_item>(fd, BTRFS_QGROUP_INFO_KEY, group));
  if (!item) return std::nullopt;
  return le64toh(item->rfer);
}

}  // namespace fairlead::volume::btrfs
