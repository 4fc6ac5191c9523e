#include "volume/kernel/path_tree.h"

#include <fcntl.h>
#include <linux/openat2.h>

#include "volume/kernel/folder.h"

namespace fairlead::volume {

namespace {
constexpr std::size_t kMostOpen = 32;
constexpr std::size_t kShown = 200;  // bytes of a path
}  // namespace

void PathTree::clear() {
  rows_.assign(1, Row{});
  names_.clear();
}

PathTree::Node PathTree::add(Node folder, std::string_view name) {
  rows_.push_back({.name = names_.size(), .folder = folder, .depth = rows_[folder].depth + 1});
  names_ += name;
  return static_cast<Node>(rows_.size() - 1);
}

std::string_view PathTree::name_of(Node node) const {
  const std::size_t from = rows_[node].name;
  const std::size_t to = node + 1 < rows_.size() ? rows_[node + 1].name : names_.size();
  return std::string_view(names_).substr(from, to - from);
}

std::string PathTree::name(Node node) const { return std::string(name_of(node)); }

std::string PathTree::path(Node node) const {
  std::size_t size = 0;
  for (Node at = node; at != kTop; at = folder_of(at)) size += name_of(at).size() + 1;
  if (size == 0) return {};
  std::string path(size - 1, '/');
  std::size_t end = path.size();
  for (Node at = node; at != kTop; at = folder_of(at)) {
    const std::string_view name = name_of(at);
    path.replace(end - name.size(), name.size(), name);
    end -= name.size() + 1;  // of the first name: not used any more
  }
  return path;
}

std::string PathTree::shown(Node node) const {
  while (depth(node) > kShown) node = folder_of(node);  // what is below is not shown anyway
  std::string path = node == kTop ? "." : this->path(node);
  return path.size() <= kShown ? path : path.substr(0, kShown) + "...";
}

bool OpenFolders::is_open(PathTree::Node folder) const {
  const std::size_t depth = paths_.depth(folder);
  return depth == 0 || (depth <= levels_.size() && levels_[depth - 1].node == folder &&
                        static_cast<bool>(levels_[depth - 1].fd));
}

Result<int> OpenFolders::open(PathTree::Node folder) {
  std::vector<PathTree::Node> way;
  while (!is_open(folder)) {
    way.push_back(folder);
    folder = paths_.folder_of(folder);
  }
  levels_.resize(paths_.depth(folder));
  for (auto next = way.rbegin(); next != way.rend(); ++next) {
    const int parent = levels_.empty() ? top_ : levels_.back().fd.get();
    TRY(auto fd, open_beneath(parent, paths_.name(*next), O_RDONLY | O_DIRECTORY | O_NOFOLLOW,
                              RESOLVE_NO_XDEV));
    levels_.push_back({.node = *next, .fd = std::move(fd)});
    if (levels_.size() > kMostOpen) levels_[levels_.size() - 1 - kMostOpen].fd.reset();
  }
  return levels_.empty() ? top_ : levels_.back().fd.get();
}

}  // namespace fairlead::volume
