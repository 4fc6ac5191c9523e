#include "volume/kernel/btrfs_search.h"

#include <linux/btrfs.h>
#include <sys/ioctl.h>

#include <cerrno>
#include <cstring>

namespace fairlead::volume::btrfs {

Status each_item(int fd, const ItemsOf& items, const ItemVisitor& visit) {
  std::uint64_t from = 0;
  for (;;) {
    btrfs_ioctl_search_args args{};
    args.key.tree_id = items.tree;
    args.key.min_objectid = args.key.max_objectid = items.object;
    args.key.min_type = args.key.max_type = items.type;
    args.key.min_offset = from;
    args.key.max_offset = args.key.max_transid = UINT64_MAX;
    args.key.nr_items = UINT32_MAX;  // as many as the buffer takes
    if (::ioctl(fd, BTRFS_IOC_TREE_SEARCH, &args) != 0) {
      if (errno == ENOENT) return {};
      return fail_errno(errno, "search a tree of btrfs");
    }
    const char* at = args.buf;
    for (std::uint32_t item = 0; item < args.key.nr_items; ++item) {
      btrfs_ioctl_search_header header{};
      std::memcpy(&header, at, sizeof header);
      at += sizeof header;
      visit(header.offset, {at, header.len});
      at += header.len;
      from = header.offset + 1;
    }
    if (args.key.nr_items == 0 || from == 0) return {};
  }
}

}  // namespace fairlead::volume::btrfs
