// Parses /proc/<pid>/mountinfo, as a pure function (Documentation/filesystems/proc.rst, section
// 3.5).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fairlead::volume {

// One line: 36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue
struct MountEntry {
  std::uint64_t id = 0, parent = 0;
  unsigned major = 0, minor = 0;
  // the path in its file system that is mounted; without the "//deleted" of a removed folder
  std::string root;
  bool root_deleted = false;
  std::string mount_point;  // as seen from the root folder of the process
  std::string options;      // of this mount
  std::string fs_type, source, super_options;

  bool operator==(const MountEntry&) const = default;
};

// std::nullopt when the line is not one of mountinfo. Octal escapes (\040) are decoded; paths may
// hold any bytes.
std::optional<MountEntry> parse_mount_line(std::string_view line);

// Parses every line that can be parsed, in order, and leaves out the others.
std::vector<MountEntry> parse_mountinfo(std::string_view text);

// Decodes "\040" and the like; a backslash that is not followed by three octal digits stays.
std::string decode_octal(std::string_view text);

}  // namespace fairlead::volume
