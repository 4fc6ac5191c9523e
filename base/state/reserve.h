// Disk space that is reserved for commits that free space. Without it, a database on a full disk
// could not even record that something is removed, because the write-ahead log has to grow for that
// too.
//
// The reserve is a file of real blocks beside the database (state.db-reserve). A process that needs
// room cuts one slice (kSlice) off its end; every process refills it at its next commit, and a
// daemon also once a second. The reserve has no content but its size, so a process that dies in
// between costs at most one slice. The file is truncated and never overwritten: on a copy-on-write
// file system an overwrite needs new space. Each slice is an extent of its own, because btrfs frees
// only whole extents.
//
// (Allocating the log ahead was rejected: each merge truncates it, and btrfs writes elsewhere.)
#pragma once

#include <string>

namespace fairlead::state {

class Reserve {
 public:
  // A commit that deletes a record writes about 6 pages of 4 KiB; merging the log makes their space
  // in it free again.
  static constexpr long kBytes = 1 << 20, kSlice = 128 << 10;

  explicit Reserve(const std::string& database) : path_(database + "-reserve") {}

  // Frees one slice; returns false when none is left.
  bool give() const;

  // Refills the reserve as far as there is room, but leaves the last free slice of the disk to
  // others. A lack of room is no error: the next call tries again.
  void fill() const;

 private:
  std::string path_;
};

}  // namespace fairlead::state
