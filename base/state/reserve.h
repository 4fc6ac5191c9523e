// Space on the disk that is kept for what makes room. A database that shares a full disk with the
// data could otherwise not even note that something is removed: the write-ahead log has to grow for
// that too.
//
// The reserve is a file of real blocks beside the database (state.db-reserve). Whoever of the
// processes needs room gives up a piece of it; each of them fills it again at its next commit, a
// daemon once a second as well. Its size is all that it says, so that a death in between costs
// nothing but a piece. It is cut and never overwritten: on a file system that copies on write an
// overwrite needs new space. Each piece is an extent of its own, because btrfs frees whole ones
// only.
//
// (A log that is allocated ahead was rejected: each merge cuts it, and btrfs writes elsewhere.)
#pragma once

#include <string>

namespace fairlead::state {

class Reserve {
 public:
  // A commit that deletes a record writes some 6 pages of 4 KiB, and a merge makes their place in
  // the log free again.
  static constexpr long kBytes = 1 << 20, kPiece = 128 << 10;

  explicit Reserve(const std::string& database) : path_(database + "-reserve") {}

  // Gives a piece to the file system; false when there is none left.
  bool give() const;

  // Takes what is missing as far as there is room, and leaves the last free piece to others. Says
  // nothing when there is none: the next call tries again.
  void fill() const;

 private:
  std::string path_;
};

}  // namespace fairlead::state
