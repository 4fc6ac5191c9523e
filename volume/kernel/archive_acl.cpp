#include "volume/kernel/archive_acl.h"

#include <endian.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

#include "volume/kernel/libarchive.h"

namespace fairlead::volume {

namespace {

struct Line {
  std::uint16_t tag = 0, permissions = 0;
  std::uint32_t id = 0;
};

constexpr std::array<std::pair<int, std::uint16_t>, 6> kTags{
    {{ARCHIVE_ENTRY_ACL_USER_OBJ, ACL_USER_OBJ},
     {ARCHIVE_ENTRY_ACL_USER, ACL_USER},
     {ARCHIVE_ENTRY_ACL_GROUP_OBJ, ACL_GROUP_OBJ},
     {ARCHIVE_ENTRY_ACL_GROUP, ACL_GROUP},
     {ARCHIVE_ENTRY_ACL_MASK, ACL_MASK},
     {ARCHIVE_ENTRY_ACL_OTHER, ACL_OTHER}}};

bool parse(const std::string& xattr, std::vector<Line>& lines) {
  posix_acl_xattr_header header{};
  posix_acl_xattr_entry raw{};
  if (xattr.size() < sizeof header || (xattr.size() - sizeof header) % sizeof raw != 0)
    return false;
  std::memcpy(&header, xattr.data(), sizeof header);
  if (le32toh(header.a_version) != POSIX_ACL_XATTR_VERSION) return false;
  for (std::size_t at = sizeof header; at < xattr.size(); at += sizeof raw) {
    std::memcpy(&raw, xattr.data() + at, sizeof raw);
    lines.push_back(
        {.tag = le16toh(raw.e_tag), .permissions = le16toh(raw.e_perm), .id = le32toh(raw.e_id)});
  }
  return true;
}

std::string print(std::vector<Line> lines) {
  // The kernel demands this order: by tag, then by id.
  std::sort(lines.begin(), lines.end(), [](const Line& a, const Line& b) {
    return std::pair(a.tag, a.id) < std::pair(b.tag, b.id);
  });
  const posix_acl_xattr_header header{.a_version = htole32(POSIX_ACL_XATTR_VERSION)};
  std::string xattr(reinterpret_cast<const char*>(&header), sizeof header);
  for (const Line& line : lines) {
    const posix_acl_xattr_entry raw{
        .e_tag = htole16(line.tag), .e_perm = htole16(line.permissions), .e_id = htole32(line.id)};
    xattr.append(reinterpret_cast<const char*>(&raw), sizeof raw);
  }
  return xattr;
}

int archive_tag(std::uint16_t tag) {
  for (const auto& [theirs, ours] : kTags)
    if (ours == tag) return theirs;
  return 0;
}

std::uint16_t kernel_tag(int tag) {
  for (const auto& [theirs, ours] : kTags)
    if (theirs == tag) return ours;
  return 0;
}

bool has_id(std::uint16_t tag) { return tag == ACL_USER || tag == ACL_GROUP; }

}  // namespace

bool add_acl(archive_entry* entry, int type, const std::string& xattr) {
  std::vector<Line> lines;
  if (!parse(xattr, lines)) return false;
  for (const Line& line : lines)
    if (const int tag = archive_tag(line.tag); tag != 0)
      lib().archive_entry_acl_add_entry(entry, type, line.permissions & 7, tag,
                                        has_id(line.tag) ? static_cast<int>(line.id) : -1, nullptr);
  return true;
}

std::string acl_of(archive_entry* entry, int type) {
  // An access ACL of three entries is the mode itself.
  const int count = lib().archive_entry_acl_reset(entry, type);
  if (count <= (type == ARCHIVE_ENTRY_ACL_TYPE_ACCESS ? 3 : 0)) return {};
  std::vector<Line> lines;
  int entry_type = 0, permissions = 0, tag = 0, id = 0;
  const char* name = nullptr;
  while (lib().archive_entry_acl_next(entry, type, &entry_type, &permissions, &tag, &id, &name) ==
         0) {
    const std::uint16_t ours = kernel_tag(tag);
    if (ours == 0 || (has_id(ours) && id < 0)) continue;
    lines.push_back({.tag = ours,
                     .permissions = static_cast<std::uint16_t>(permissions & 7),
                     .id = has_id(ours) ? static_cast<std::uint32_t>(id)
                                        : static_cast<std::uint32_t>(ACL_UNDEFINED_ID)});
  }
  return print(std::move(lines));
}

}  // namespace fairlead::volume
