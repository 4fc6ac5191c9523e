#include "volume/kernel/tree_entry.h"

#include <algorithm>
#include <cstring>

namespace fairlead::volume {

bool is_kept_xattr(const std::string& name) {
  return name.starts_with("user.") || name.starts_with("trusted.") ||
         name == "security.capability" || name == kAccessAcl || name == kDefaultAcl;
}

// By blocks first, because what strangers nest has paths of megabytes.
std::size_t common_prefix(std::string_view left, std::string_view right) {
  constexpr std::size_t kBlock = 256;
  const std::size_t both = std::min(left.size(), right.size());
  std::size_t same = 0;
  while (both - same >= kBlock && std::memcmp(&left[same], &right[same], kBlock) == 0)
    same += kBlock;
  while (same < both && left[same] == right[same]) ++same;
  return same;
}

int compare_paths(const std::string& left, const std::string& right) {
  // '/' counts as the lowest byte, so that "a/b" comes before "a-b", in the order of a walk.
  const auto weight = [](char c) { return c == '/' ? 0 : static_cast<unsigned char>(c); };
  const std::size_t k = common_prefix(left, right);
  if (k < left.size() && k < right.size()) return weight(left[k]) < weight(right[k]) ? -1 : 1;
  if (left.size() == right.size()) return 0;
  return left.size() < right.size() ? -1 : 1;
}

std::string printable(const std::string& path) {
  constexpr std::size_t kMost = 200;
  std::string text = path.substr(0, kMost);
  for (char& c : text)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  // Bytes that are not ASCII are kept; the log and JSON mask what is not UTF-8.
  return path.size() > kMost ? text + "..." : text;
}

}  // namespace fairlead::volume
