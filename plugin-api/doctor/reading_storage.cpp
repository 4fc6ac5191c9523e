#include <sys/stat.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <array>
#include <sstream>

#include "plugin-api/doctor/reading.h"

namespace fairlead::doctor {

namespace {

// The id behind "<folder>/vol/": 32 digits; in the trash a dot and a time follow.
std::string id_below(std::string_view place, const std::string& folder) {
  constexpr std::size_t kDigits = 32;
  for (const std::string_view part : {"/vol/", "/tmp/", "/trash/"}) {
    const std::string start = folder + std::string(part);
    if (place.starts_with(start) && place.size() >= start.size() + kDigits)
      return std::string(place.substr(start.size(), kDigits));
  }
  return {};
}

bool is_id(std::string_view text) {
  return text.size() == 32 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

// Without what is kept for root, as df(1) counts.
Fill bytes_of(const struct statvfs& disk) {
  const std::uint64_t used = (disk.f_blocks - disk.f_bfree) * disk.f_frsize;
  return {used, used + disk.f_bavail * disk.f_frsize};
}

// A file system that makes them as they are needed has no number of them.
Fill inodes_of(const struct statvfs& disk) {
  return disk.f_files == 0 ? Fill{} : Fill{disk.f_files - disk.f_ffree, disk.f_files};
}

}  // namespace

// 36 35 98:0 /root /mount/point options - type source options
std::vector<std::string> left_mounts_in(std::string_view mountinfo, const std::string& folder,
                                        const std::set<std::string>& known) {
  std::vector<std::string> left;
  std::istringstream lines{std::string(mountinfo)};
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::array<std::string, 5> first;
    for (std::string& word : first) words >> word;
    const std::string id = id_below(first[4], folder);
    if (is_id(id) && !known.contains(id)) left.push_back(first[4]);
  }
  return left;
}

void read_state_folder(const std::string& path, StorageFacts& storage) {
  storage.state.path = path;
  struct stat folder {};
  if (::stat(path.c_str(), &folder) != 0) return;
  storage.state.there = true;
  storage.state.of_root = folder.st_uid == 0;
  storage.state.writable_by_others = (folder.st_mode & (S_IWGRP | S_IWOTH)) != 0;
  struct stat database {};
  if (::stat((path + "/state.db").c_str(), &database) == 0)
    storage.state.database_readable_by_others = (database.st_mode & (S_IRWXG | S_IRWXO)) != 0;
  struct stat reserve {};
  if (::stat((path + "/state.db-reserve").c_str(), &reserve) == 0)
    storage.reserve = static_cast<std::uint64_t>(reserve.st_size);
}

void read_disk(const std::string& path, const std::string& purpose, std::vector<Disk>& disks) {
  struct statvfs disk {};
  if (::statvfs(path.c_str(), &disk) != 0) return;
  const Disk read{.path = path,
                  .purpose = purpose,
                  .bytes = bytes_of(disk),
                  .inodes = inodes_of(disk),
                  .read_only = (disk.f_flag & ST_RDONLY) != 0};
  struct stat own {};
  if (::stat(path.c_str(), &own) != 0) return;
  const bool there = std::ranges::any_of(disks, [&](const Disk& other) {
    struct stat its {};
    return ::stat(other.path.c_str(), &its) == 0 && its.st_dev == own.st_dev;
  });
  if (!there) disks.push_back(read);
}

}  // namespace fairlead::doctor
