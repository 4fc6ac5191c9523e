// Reading /proc/<pid>/mountinfo: a pure function from text to values
// (Documentation/filesystems/proc.rst, section 3.5).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fairlead::volume {

// 36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue
struct MountEntry {
  std::uint64_t id = 0, parent = 0;
  unsigned major = 0, minor = 0;
  std::string root;  // the path in the file system that is mounted; without the "//deleted" of a
                     // removed folder
  bool root_deleted = false;
  std::string mount_point;  // as seen from the root folder of the process
  std::string options;      // of this mount
  std::string fs_type, source, super_options;

  bool operator==(const MountEntry&) const = default;
};

// Nothing when the line is not one of mountinfo. Octal escapes (\040) are decoded; any bytes are
// allowed in paths.
std::optional<MountEntry> parse_mount_line(std::string_view line);

// Every line that can be read, in order; others are left out.
std::vector<MountEntry> parse_mountinfo(std::string_view text);

// "\040" and the like become their byte; a backslash that begins no three octal digits stays.
std::string decode_octal(std::string_view text);

}  // namespace fairlead::volume
