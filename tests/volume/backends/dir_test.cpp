#include "volume/backends/dir.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include "tests/volume/backends/a_volume.h"
#include "tests/volume/scratch.h"
#include "volume/backends/volume_json.h"

namespace fairlead::volume {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::is_there;
using testing::read_text;
using testing::Scratch;
using testing::write_text;

struct DirTest : ::testing::Test {
  void SetUp() override {
    if (!testing::is_root()) GTEST_SKIP() << "owners need root";
  }
  Volume created(std::map<std::string, std::string> options = {}) {
    return testing::made_by(*dir, testing::a_volume("dir", std::move(options)));
  }
  std::string at(const Volume& volume, const std::string& name) const {
    return scratch / ("root/vol/" + volume.id + "/" + name);
  }
  static struct stat stat_of(const std::string& path) {
    struct stat info {};
    EXPECT_EQ(::lstat(path.c_str(), &info), 0) << path;
    return info;
  }
  static unsigned mode_of(const std::string& path) { return stat_of(path).st_mode & 07777U; }

  Scratch scratch;
  std::unique_ptr<Backend> dir = make_dir_backend(scratch / "root");
};

TEST_F(DirTest, TheTreeIsClosedToOthersAboveTheData) {
  const mode_t before = ::umask(0);
  const Volume volume = created();
  ::umask(before);
  EXPECT_EQ(mode_of(scratch / "root"), 0711U);
  for (const char* part : {"root/vol", "root/tmp", "root/trash"})
    EXPECT_EQ(mode_of(scratch / part), 0700U) << part;
  EXPECT_EQ(mode_of(at(volume, ".")), 0700U);
  EXPECT_EQ(mode_of(at(volume, "volume.json")), 0600U);
  EXPECT_EQ(mode_of(at(volume, "_data")), 0755U);
}

TEST_F(DirTest, OwnerAndModeAreThoseAskedFor) {
  const Volume volume = created({{"uid", "1000"}, {"gid", "100"}, {"mode", "6770"}});
  const auto info = stat_of(at(volume, "_data"));
  EXPECT_EQ(info.st_uid, 1000U);
  EXPECT_EQ(info.st_gid, 100U);
  EXPECT_EQ(info.st_mode & 07777U, 06770U);
  EXPECT_EQ(stat_of(at(volume, ".")).st_uid, 0U);
}

TEST_F(DirTest, TheDataIsEmptyForTheRuntimeToFill) {
  EXPECT_EQ(testing::entries_in(dir->mount(created()).value()), 0U);
}

TEST_F(DirTest, VolumeJsonTellsWhoseDataItIs) {
  const Volume volume = created({{"retain", "1d"}});
  EXPECT_EQ(parse_volume_json(read_text(at(volume, "volume.json"))).value(), volume);
}

TEST_F(DirTest, LimitsAndMountOptionsAreRefusedWithAHint) {
  EXPECT_THAT(dir->validate({.size = 1}).error().text,
              AllOf(HasSubstr("\"size\""), HasSubstr("leave it out")));
  EXPECT_THAT(dir->validate({.inodes = 1}).error().text, HasSubstr("\"inodes\""));
  EXPECT_THAT(dir->validate({.mount_options = {"data=journal"}}).error().text,
              HasSubstr("o=data=journal"));
  EXPECT_TRUE(dir->validate({.mount_options = {"exec", "noexec", "rw"}}));
}

TEST_F(DirTest, MissingDataIsNamedAndNotMadeAnew) {
  const Volume volume = created();
  write_text(at(volume, "_data/precious"), "x");
  std::filesystem::rename(at(volume, "_data"), scratch / "moved");
  EXPECT_THAT(dir->mount(volume).error().text,
              AllOf(HasSubstr(at(volume, "_data")), HasSubstr("put it back")));
  EXPECT_FALSE(is_there(at(volume, "_data")));
  std::filesystem::rename(scratch / "moved", at(volume, "_data"));
  EXPECT_TRUE(dir->mount(volume));
}

TEST_F(DirTest, DataReplacedByALinkIsRefused) {
  const Volume volume = created();
  std::filesystem::remove(at(volume, "_data"));
  std::filesystem::create_symlink("/etc", at(volume, "_data"));
  EXPECT_FALSE(dir->mount(volume));
  EXPECT_NE(dir->status(volume)->health, "ok");
}

TEST_F(DirTest, AMalformedIdReachesNoPath) {
  write_text(scratch / "precious", "x");
  Rollback undo;
  for (const char* id : {"", "..", "../..", "a/b", "0123456789ABCDEF0123456789ABCDEF"}) {
    Volume volume{.id = id, .deleted = 5};
    EXPECT_FALSE(dir->create(volume, undo)) << id;
    EXPECT_FALSE(dir->discard(volume)) << id;
  }
  EXPECT_TRUE(is_there(scratch / "precious"));
}

TEST_F(DirTest, TrashHoldsTheWholeVolumeUnderItsTime) {
  Volume volume = created({{"retain", "1d"}});
  write_text(at(volume, "_data/file"), "text");
  volume.deleted = 1234;
  ASSERT_TRUE(dir->remove(volume));
  EXPECT_EQ(read_text(scratch / fmt::format("root/trash/{}.1234/_data/file", volume.id)), "text");
  EXPECT_FALSE(is_there(at(volume, ".")));
}

TEST_F(DirTest, ForeignThingsInTheTreeAreLeftAloneAndNamed) {
  created();
  for (const char* name : {"root/tmp/mine", "root/vol/mine", "root/trash/mine",
                           "root/trash/0123456789abcdef0123456789abcdef.x"})
    std::filesystem::create_directory(scratch / name);
  const auto report =
      dir->sweep(1LL << 40, [](const std::string& id) -> Result<bool> { return id != "mine"; }, {});
  EXPECT_EQ(report.failures.size(), 4U);
  EXPECT_TRUE(report.actions.empty());
  EXPECT_TRUE(is_there(scratch / "root/tmp/mine"));
  EXPECT_TRUE(is_there(scratch / "root/trash/mine"));
}

TEST_F(DirTest, ABrokenJsonInTheTrashKeepsTheData) {
  Volume volume = created();
  volume.deleted = 5;
  ASSERT_TRUE(dir->remove(volume));
  write_text(scratch / fmt::format("root/trash/{}.5/volume.json", volume.id), "{");
  const auto report =
      dir->sweep(1LL << 40, [](const std::string&) -> Result<bool> { return false; }, {});
  EXPECT_EQ(report.failures.size(), 1U);
  EXPECT_TRUE(is_there(scratch / fmt::format("root/trash/{}.5/_data", volume.id)));
}

TEST_F(DirTest, AStoreThatCannotAnswerRemovesNothing) {
  created();
  std::filesystem::create_directory(scratch / ("root/tmp/" + std::string(32, 'a')));
  const auto report = dir->sweep(
      1, [](const std::string&) -> Result<bool> { return fail(Code::kIo, "no store"); }, {});
  EXPECT_FALSE(report.failures.empty());
  EXPECT_TRUE(report.actions.empty());
  EXPECT_TRUE(is_there(scratch / ("root/tmp/" + std::string(32, 'a'))));
}

TEST_F(DirTest, UsersNameTheProcessAndSomethingMountedInside) {
  const Volume volume = created();
  std::filesystem::create_directory(scratch / "target");
  const testing::Holder holder(at(volume, "_data"), scratch / "target");
  EXPECT_EQ(dir->users(volume).value(),
            fmt::format("mounted at {} by holder (pid {})", scratch / "target", holder.pid()));
}

TEST_F(DirTest, ARootThatDoesNotExistYetIsNoTrouble) {
  const auto fresh = make_dir_backend(scratch / "not/yet");
  const Volume volume{.id = random_hex(32), .deleted = 5};
  EXPECT_TRUE(fresh->remove(volume));
  EXPECT_TRUE(fresh->discard(volume));
  EXPECT_EQ(fresh->users(volume).value(), "");
  EXPECT_TRUE(fresh->sweep(1, [](const std::string&) -> Result<bool> { return false; }, {})
                  .failures.empty());
}

}  // namespace
}  // namespace fairlead::volume
