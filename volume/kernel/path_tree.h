// The paths of many entries of a tree, in memory that grows with their names alone: strangers nest
// folders so deeply that whole paths would take the square of that.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace fairlead::volume {

// Entries are numbered, and each keeps its name and the number of its folder: 16 bytes and the name.
// One thread.
class PathTree {
 public:
  using Node = std::uint32_t;
  static constexpr Node kTop = 0;  // the folder that all paths begin in

  PathTree() { clear(); }
  // `folder` is one that was added before. A name that is added twice has two numbers.
  Node add(Node folder, std::string_view name);
  void clear();

  Node folder_of(Node node) const { return rows_[node].folder; }
  std::uint32_t depth(Node node) const { return rows_[node].depth; }  // of the top: 0
  std::string name(Node node) const;
  std::string path(Node node) const;   // "a/b"; of the top: ""
  std::string shown(Node node) const;  // its beginning, for messages; of the top: "."

 private:
  struct Row {
    std::uint64_t name = 0;  // where it begins in `names_`; it ends where the next one begins
    Node folder = kTop;
    std::uint32_t depth = 0;
  };
  std::string_view name_of(Node node) const;

  std::deque<Row> rows_;
  std::string names_;
};

// Opens folders of a tree at any depth, component by component, without following symbolic links or
// entering mounts. The last ones stay open, 32 at most, so that one beside or below the last costs
// one call. The folder at the top and the paths are borrowed. One thread.
class OpenFolders {
 public:
  OpenFolders(int top, const PathTree& paths) : top_(top), paths_(paths) {}
  // Borrowed until the next call.
  Result<int> open(PathTree::Node folder);

 private:
  struct Level {
    PathTree::Node node = PathTree::kTop;
    UniqueFd fd;
  };
  bool is_open(PathTree::Node folder) const;

  int top_;
  const PathTree& paths_;
  std::vector<Level> levels_;  // from below the top to the folder that was opened last
};

}  // namespace fairlead::volume
