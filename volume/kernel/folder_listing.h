// What is in one folder, for walks over trees of any size.
#pragma once

#include <sys/stat.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace fairlead::volume {

// The names in a folder, sorted by their bytes, without "." and ".."; a million of them in some
// 20 MB.
class FolderNames {
 public:
  FolderNames() = default;
  // Only this name.
  explicit FolderNames(const std::string& name) { add(name.c_str(), false); }
  // kExhausted when there are more than `most`.
  static Result<FolderNames> of(int folder, std::size_t most = SIZE_MAX);

  std::size_t size() const { return starts_.size(); }
  const char* operator[](std::size_t k) const { return bytes_.data() + starts_[k]; }
  bool has(std::string_view name) const;
  // Whether the file system has said that it is a folder; it may have become something else.
  bool is_folder(std::size_t k) const { return bytes_[starts_[k] - 1] == kFolder; }

 private:
  static constexpr char kFolder = 'd', kOther = '-';
  void add(const char* name, bool is_folder);
  void sort();

  std::string bytes_;  // of each: its kind, the name, a zero
  std::vector<std::size_t> starts_;
};

// Everything of one entry in one call, also on which mount it is (since Linux 5.8). False: errno
// says why.
bool stat_entry(int folder, const char* name, struct statx& info);

// An open folder, and what was seen in it.
struct ListedFolder {
  UniqueFd fd;
  FolderNames names;
  // Of the names; empty when they were not looked at. `stx_mask` is 0 where that failed.
  std::vector<struct statx> seen;
};

}  // namespace fairlead::volume
