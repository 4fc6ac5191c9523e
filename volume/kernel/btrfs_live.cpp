#include "volume/kernel/btrfs_live.h"

#include <endian.h>
#include <linux/btrfs.h>
#include <linux/btrfs_tree.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <unordered_set>
#include <vector>

#include "volume/kernel/btrfs_search.h"

namespace fairlead::volume::btrfs {

namespace {

constexpr std::size_t kBuffer = 256 << 10;

struct Root {
  std::uint64_t tree_bytes = 0;
  // Extents of this transaction and of those before were written by the source of the snapshot; 0:
  // it is no snapshot.
  std::uint64_t inherited = 0;
};

Result<Root> root_of(int fd, std::uint64_t subvolume) {
  Root root;
  const ItemsOf items{
      .tree = BTRFS_ROOT_TREE_OBJECTID, .object = subvolume, .type = BTRFS_ROOT_ITEM_KEY};
  TRY_STATUS(each_item(fd, items, [&](std::uint64_t, std::string_view bytes) {
    btrfs_root_item item{};
    std::memcpy(&item, bytes.data(), std::min(bytes.size(), sizeof item));
    root.tree_bytes = le64toh(item.bytes_used);
    const bool is_snapshot =
        std::ranges::any_of(item.parent_uuid, [](std::uint8_t byte) { return byte != 0; });
    root.inherited = is_snapshot ? le64toh(item.otransid) : 0;
  }));
  return root;
}

// Sums the extents of a tree, each once.
class ExtentSum {
 public:
  explicit ExtentSum(std::uint64_t inherited) : inherited_(inherited) {}

  void add(std::string_view bytes) {
    btrfs_file_extent_item item{};
    if (bytes.size() < sizeof item) return;  // its data is in the tree
    std::memcpy(&item, bytes.data(), sizeof item);
    const std::uint64_t at = le64toh(item.disk_bytenr);
    if (item.type == BTRFS_FILE_EXTENT_INLINE || at == 0) return;
    if (le64toh(item.generation) <= inherited_) return;
    if (seen_.insert(at).second) total_ += le64toh(item.disk_num_bytes);
  }
  std::uint64_t total() const { return total_; }

 private:
  std::uint64_t inherited_, total_ = 0;
  std::unordered_set<std::uint64_t> seen_;
};

// The key that follows; false at the last one.
bool step(btrfs_ioctl_search_key& key, const btrfs_ioctl_search_header& last) {
  key.min_objectid = last.objectid;
  key.min_type = last.type;
  key.min_offset = last.offset;
  if (key.min_offset++ != UINT64_MAX) return true;
  if (key.min_type++ < UINT8_MAX) return true;
  key.min_type = 0;
  return key.min_objectid++ != UINT64_MAX;
}

}  // namespace

Result<std::optional<std::uint64_t>> live_bytes(int fd, std::uint64_t subvolume,
                                                std::size_t most_items) {
  TRY(const Root root, root_of(fd, subvolume));
  ExtentSum sum(root.inherited);
  std::vector<std::uint64_t> memory((sizeof(btrfs_ioctl_search_args_v2) + kBuffer) / 8 + 1);
  auto* const args = reinterpret_cast<btrfs_ioctl_search_args_v2*>(memory.data());
  args->key.tree_id = subvolume;
  args->key.max_objectid = args->key.max_offset = args->key.max_transid = UINT64_MAX;
  args->key.max_type = UINT8_MAX;
  for (std::size_t items = 0; items <= most_items;) {
    args->buf_size = kBuffer;
    args->key.nr_items = UINT32_MAX;
    if (::ioctl(fd, BTRFS_IOC_TREE_SEARCH_V2, args) != 0)
      return fail_errno(errno, "read the tree of a subvolume");
    if (args->key.nr_items == 0) return root.tree_bytes + sum.total();
    const char* at = reinterpret_cast<const char*>(args->buf);
    btrfs_ioctl_search_header header{};
    for (std::uint32_t k = 0; k < args->key.nr_items; ++k) {
      std::memcpy(&header, at, sizeof header);
      at += sizeof header;
      if (header.type == BTRFS_EXTENT_DATA_KEY) sum.add({at, header.len});
      at += header.len;
    }
    items += args->key.nr_items;
    if (!step(args->key, header)) return root.tree_bytes + sum.total();
  }
  return std::nullopt;
}

}  // namespace fairlead::volume::btrfs
