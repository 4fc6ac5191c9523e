// A walk that leaves out what somebody asked for.
#include "volume/service/exclude_filter.h"

#include <gmock/gmock.h>

#include "tests/volume/tree_facts.h"
#include "volume/kernel/folder.h"

namespace fairlead::volume {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::Scratch;
using testing::write_text;

struct ExcludeFilterTest : ::testing::Test {
  Scratch scratch;

  void put(const std::string& path, const std::string& text = "x") {
    std::filesystem::create_directories(std::filesystem::path(scratch / path).parent_path());
    write_text(scratch / path, text);
  }
  std::vector<std::string> walk(const Excludes& excludes) {
    const auto top = Folder::open(scratch.path());
    const ExcludeFilter filter(excludes);
    std::vector<std::string> paths;
    WalkNotes notes;
    const auto walked = walk_tree(top->fd(),
                                  [&](TreeCursor& cursor) -> Status {
                                    if (!cursor.seen().path.empty())
                                      paths.push_back(cursor.seen().path);
                                    return {};
                                  },
                                  notes, {.filter = &filter});
    EXPECT_TRUE(walked) << walked.error().text;
    EXPECT_THAT(notes.lines, IsEmpty());
    return paths;
  }
};

TEST_F(ExcludeFilterTest, AFolderThatIsLeftOutIsNotLookedInto) {
  put("cache/deep/x");
  put("a/cache/x");
  put("a/keep");
  std::filesystem::permissions(scratch / "cache", std::filesystem::perms::none);
  EXPECT_THAT(walk({.patterns = {"cache/"}}), ElementsAre("a", "a/keep"));
  EXPECT_THAT(walk({.patterns = {"/cache"}}), ElementsAre("a", "a/cache", "a/cache/x", "a/keep"));
}

TEST_F(ExcludeFilterTest, OfACacheOnlyItsTagIsKept) {
  const std::string signature = "Signature: 8a477f597d28d172789f06886806bc55";
  put("c/CACHEDIR.TAG", signature + "\nmore");
  put("c/x");
  put("c/deep/y");
  put("d/CACHEDIR.TAG", "something else");
  put("d/x");
  EXPECT_THAT(walk({.caches = true}),
              ElementsAre("c", "c/CACHEDIR.TAG", "d", "d/CACHEDIR.TAG", "d/x"));
}

TEST_F(ExcludeFilterTest, OfAFolderWithTheMarkerOnlyTheMarkerIsKept) {
  put("a/.nobackup");
  put("a/x");
  put("b/x");
  EXPECT_THAT(walk({.if_present = {".skip", ".nobackup"}}),
              ElementsAre("a", "a/.nobackup", "b", "b/x"));
}

// Whichever of its names comes first in what is kept has the content.
TEST_F(ExcludeFilterTest, AFileWhoseFirstNameIsLeftOutIsKeptUnderTheNext) {
  put("a/first");
  std::filesystem::create_hard_link(scratch / "a/first", scratch / "second");
  const auto top = Folder::open(scratch.path());
  const Excludes excludes{.patterns = {"/a"}};
  const ExcludeFilter filter(excludes);
  WalkNotes notes;
  std::vector<std::string> links;
  ASSERT_TRUE(walk_tree(top->fd(),
                        [&](TreeCursor& cursor) -> Status {
                          links.push_back(cursor.seen().hard_link);
                          return {};
                        },
                        notes, {.filter = &filter}));
  EXPECT_THAT(links, ElementsAre("", ""));
}

}  // namespace
}  // namespace fairlead::volume
