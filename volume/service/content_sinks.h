// Where copies out of volumes go: a folder of the host, or a tar.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "volume/api/types.h"
#include "volume/kernel/tree_entry.h"
#include "volume/service/progress_reporter.h"

namespace fairlead::volume {

using DataRanges = std::vector<std::pair<std::uint64_t, std::uint64_t>>;  // offset, length

// Gets the entries in the order of a walk, and after a file its content in ascending pieces within
// the announced ranges. Not thread-safe.
class ContentSink {
 public:
  virtual ~ContentSink() = default;
  virtual Status add(const TreeEntry& entry, const DataRanges& ranges) = 0;
  virtual Status write(std::uint64_t offset, std::string_view bytes) = 0;
  virtual Status finish() = 0;
  virtual LeftOut left_out() const { return {}; }  // what could not be kept
};

// Beneath the folder, which is borrowed.
std::unique_ptr<ContentSink> make_folder_sink(int folder);
// A plain tar, to a descriptor that is borrowed.
Result<std::unique_ptr<ContentSink>> make_tar_sink(int fd);

// Gives the entries the names that they have in the copy, counts them, and adds up what was left
// out. `name` is the name of the copy in the sink; empty: the sink itself becomes the copy.
class ContentCopy {
 public:
  ContentCopy(ContentSink& sink, std::string name, ProgressReporter& reporter)
      : sink_(sink), name_(std::move(name)), reporter_(reporter) {}

  // The paths of `entry` are from the top of what is copied.
  Status add(TreeEntry entry, const DataRanges& ranges);
  Status write(std::uint64_t offset, std::string_view bytes);
  void leave_out(std::string note);
  Result<ContentReport> finish();

 private:
  std::string renamed(const std::string& path) const;

  ContentSink& sink_;
  const std::string name_;
  ProgressReporter& reporter_;
  ContentReport report_;
};

// What the sockets and devices of a copy are told as; empty for what can be copied.
std::string why_left_out(const TreeEntry& entry);

ContentEntry shown_entry(const TreeEntry& entry, std::string path);

// "a/b" and "c" -> "a/b/c"; an empty one is left out.
std::string join_paths(const std::string& folder, const std::string& name);

}  // namespace fairlead::volume
