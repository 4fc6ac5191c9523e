#include "volume/kernel/path_tree.h"

#include <gtest/gtest.h>

#include "tests/volume/tree_facts.h"
#include "volume/kernel/folder.h"

namespace fairlead::volume {
namespace {

TEST(PathTreeTest, PathsAreMadeOfTheNamesOfTheirFolders) {
  PathTree paths;
  const auto a = paths.add(PathTree::kTop, "a"), b = paths.add(a, "bc"), c = paths.add(a, "d");
  EXPECT_EQ(paths.path(PathTree::kTop), "");
  EXPECT_EQ(paths.path(a), "a");
  EXPECT_EQ(paths.path(b), "a/bc");
  EXPECT_EQ(paths.path(c), "a/d");
  EXPECT_EQ(paths.depth(c), 2U);
  EXPECT_EQ(paths.folder_of(c), a);
  paths.clear();
  EXPECT_EQ(paths.path(paths.add(PathTree::kTop, "e")), "e");
}

TEST(PathTreeTest, MessagesHaveTheBeginning) {
  PathTree paths;
  EXPECT_EQ(paths.shown(PathTree::kTop), ".");
  PathTree::Node at = PathTree::kTop;
  for (int k = 0; k < 1000; ++k) at = paths.add(at, "f");
  EXPECT_EQ(paths.path(at).size(), 1999U);
  EXPECT_EQ(paths.shown(at), paths.path(at).substr(0, 200) + "...");
}

TEST(OpenFoldersTest, OpenAnyOrderAndFollowNoLinks) {
  testing::Scratch scratch;
  const std::string top = scratch / "top";
  std::string deep = top;
  for (int k = 0; k < 100; ++k) deep += "/d";
  std::filesystem::create_directories(deep);
  std::filesystem::create_directory(top + "/d/beside");
  std::filesystem::create_directory_symlink("d", top + "/link");
  const auto folder = Folder::open(top);
  PathTree paths;
  OpenFolders open(folder->fd(), paths);
  const auto first = paths.add(PathTree::kTop, "d"), beside = paths.add(first, "beside");
  auto last = first;
  for (int k = 1; k < 100; ++k) last = paths.add(last, "d");
  const auto inode_at = [&](PathTree::Node node) {
    struct stat opened {
    }, named{};
    const auto fd = open.open(node);
    EXPECT_TRUE(fd) << fd.error().text;
    EXPECT_EQ(fd ? ::fstat(*fd, &opened) : -1, 0);
    EXPECT_EQ(::stat((top + "/" + paths.path(node)).c_str(), &named), 0);
    return opened.st_ino == named.st_ino;
  };
  for (const auto node : {last, beside, last, first, PathTree::kTop, last})
    EXPECT_TRUE(inode_at(node));
  EXPECT_FALSE(open.open(paths.add(PathTree::kTop, "link")));
  EXPECT_TRUE(inode_at(beside));
}

}  // namespace
}  // namespace fairlead::volume
