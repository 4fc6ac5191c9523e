#include "volume/backends/image.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <thread>

#include "tests/volume/backends/image_world.h"
#include "tests/volume/shown_twice.h"

namespace fairlead::volume {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::ImageWorld;
using testing::is_there;
using ::testing::Not;
using testing::read_text;
using testing::run;
using testing::write_text;

constexpr std::uint64_t kMiB = 1 << 20;

std::string mount_line(const std::string& path) {
  std::ifstream table("/proc/thread-self/mountinfo");
  for (std::string line; std::getline(table, line);)
    if (line.find(" " + path + " ") != std::string::npos) return line;
  return "";
}

// Writes until the file system is full; bytes.
std::uint64_t fill_up(const std::string& file, int& error) {
  const UniqueFd fd(::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  const std::string block(65536, 'x');
  std::uint64_t written = 0;
  for (;;) {
    const ssize_t now = ::write(fd.get(), block.data(), block.size());
    error = errno;
    if (now <= 0) break;
    written += static_cast<std::uint64_t>(now);
  }
  return written;
}

struct ImageTest : ::testing::Test {
  void SetUp() override {
    if (!world.why().empty()) GTEST_SKIP() << world.why();
  }
  ImageWorld world;
};

TEST_F(ImageTest, HandedOutIsAnEmptyFolderWithTheOwnerAndModeAskedFor) {
  const Volume volume = world.mounted({{"uid", "1000"}, {"gid", "100"}, {"mode", "6770"}});
  EXPECT_EQ(testing::entries_in(world.data(volume)), 0U);
  struct stat info {};
  ASSERT_EQ(::stat(world.data(volume).c_str(), &info), 0);
  EXPECT_EQ(info.st_uid, 1000U);
  EXPECT_EQ(info.st_gid, 100U);
  EXPECT_EQ(info.st_mode & 07777U, 06770U);
}

TEST_F(ImageTest, TheLimitIsExactAndDfTellsIt) {
  const Volume volume = world.mounted({{"size", "32m"}});
  struct statfs before {};
  ASSERT_EQ(::statfs(world.data(volume).c_str(), &before), 0);
  const auto free = before.f_bavail * static_cast<std::uint64_t>(before.f_bsize);
  EXPECT_GT(before.f_bavail, before.f_bfree * 97 / 100);  // the kernel's own reserve, none for root
  EXPECT_GT(free, 20 * kMiB);
  int error = 0;
  const auto written = fill_up(world.data(volume) + "/file", error);
  EXPECT_EQ(error, ENOSPC);
  EXPECT_LE(written, free);
  EXPECT_GT(written, free - 256 * 1024);
  struct stat image {};
  ASSERT_EQ(::stat(world.at(volume, "disk.img").c_str(), &image), 0);
  EXPECT_EQ(image.st_size, static_cast<off_t>(32 * kMiB));
}

TEST_F(ImageTest, AFolderThatIsShownTwiceIsNoUser) {
  const testing::Scratch scratch;
  const testing::ShownTwice shown(scratch / "share", scratch / "root");
  const auto backend = make_image_backend(scratch / "root");
  const Volume volume = testing::made_by(*backend, testing::a_volume("image", {{"size", "16m"}}));
  const auto path = backend->mount(volume);
  ASSERT_TRUE(path) << path.error().text;
  EXPECT_TRUE(is_there(shown.other + "/vol/" + volume.id + "/fs/_data"));
  EXPECT_EQ(*backend->users(volume), "");
  EXPECT_EQ(backend->status(volume)->in_use, false);
  ASSERT_TRUE(backend->unmount(volume));
  EXPECT_FALSE(is_there(shown.other + "/vol/" + volume.id + "/fs/_data"));
}

TEST_F(ImageTest, InodesAreLimitedToo) {
  const Volume volume = world.mounted({{"inodes", "64"}});
  int made = 0;
  while (made < 1000 && ::mkdir(fmt::format("{}/{}", world.data(volume), made).c_str(), 0700) == 0)
    ++made;
  EXPECT_EQ(errno, ENOSPC);
  EXPECT_LE(made, 64);
  const auto status = world->status(volume).value();
  EXPECT_EQ(status.inodes, status.inodes_used);
}

TEST_F(ImageTest, SetuidAndDevicesAreOffUnlessLifted) {
  const Volume plain = world.mounted();
  EXPECT_THAT(mount_line(world.at(plain, "fs")), HasSubstr("nosuid,nodev"));
  const Volume lifted = world.mounted({{"o", "suid,dev,noexec"}});
  EXPECT_THAT(mount_line(world.at(lifted, "fs")),
              AllOf(Not(HasSubstr("nosuid")), HasSubstr("noexec")));
}

TEST_F(ImageTest, DeletedBlocksGoBackToTheDiskBelow) {
  const Volume volume = world.mounted();
  EXPECT_THAT(mount_line(world.at(volume, "fs")), HasSubstr("discard"));
  const auto allocated = [&] {
    const UniqueFd image(::open(world.at(volume, "disk.img").c_str(), O_RDONLY | O_CLOEXEC));
    return size_of_file(image.get())->allocated;
  };
  write_text(world.data(volume) + "/file", std::string(12 * kMiB, 'x'));
  ::sync();
  EXPECT_GT(allocated(), 12 * kMiB);
  std::filesystem::remove(world.data(volume) + "/file");
  for (int attempt = 0; attempt < 100 && allocated() > 6 * kMiB; ++attempt) {
    ::sync();  // they go with the journal's commit
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  EXPECT_LT(allocated(), 6 * kMiB);
  EXPECT_THAT(mount_line(world.at(world.mounted({{"discard", "off"}}), "fs")),
              Not(HasSubstr("discard")));
}

TEST_F(ImageTest, AReadOnlyVolumeIsReadOnlyDownToTheFileSystem) {
  const Volume volume = world.mounted({{"access", "read-only"}});
  EXPECT_NE(::mkdir((world.data(volume) + "/x").c_str(), 0700), 0);
  EXPECT_EQ(errno, EROFS);
}

TEST_F(ImageTest, AnIdMapShowsOtherOwners) {
  const Volume volume = world.mounted({{"idmap", "0-100000-1000"}});
  struct stat info {};
  ASSERT_EQ(::stat(world.data(volume).c_str(), &info), 0);
  EXPECT_EQ(info.st_uid, 100000U);
  const auto data = world->open_data(volume, "");  // archives see what is on the disk
  ASSERT_TRUE(data) << data.error().text;
  ASSERT_EQ(::fstat(data->get(), &info), 0);
  EXPECT_EQ(info.st_uid, 0U);
}

TEST_F(ImageTest, WhatCannotBeIsRefusedWithAHint) {
  const auto text = [&](VolumeOptions options) { return world->validate(options).error().text; };
  EXPECT_THAT(text({}), AllOf(HasSubstr("size"), HasSubstr("size=10g")));
  EXPECT_THAT(text({.size = kMiB}), HasSubstr("10m"));
  EXPECT_THAT(text({.size = 400 * kMiB, .fstype = "ext5"}), HasSubstr("ext4 or xfs"));
  EXPECT_THAT(text({.size = 400 * kMiB, .inodes = 5, .fstype = "xfs"}), HasSubstr("inodes"));
  EXPECT_THAT(text({.size = 400 * kMiB, .mount_options = {"journal_path=/dev/sda"}}),
              HasSubstr("journal_path"));
  EXPECT_TRUE(world->validate({.size = 64 * kMiB}));
  EXPECT_TRUE(world->validate({.from_volume = "shop"}));
}

TEST_F(ImageTest, StatusTellsSizeAndWhatIsUsed) {
  const Volume volume = world.created();
  auto status = world->status(volume).value();
  EXPECT_EQ(status.size, 32 * kMiB);
  EXPECT_LT(*status.used, 2 * kMiB);
  EXPECT_EQ(status.health, "ok");
  ASSERT_TRUE(world->mount(volume));
  write_text(world.data(volume) + "/file", std::string(5 * kMiB, 'x'));
  ::sync();
  status = world->status(volume).value();
  EXPECT_GT(*status.used, 5 * kMiB);
  EXPECT_LT(*status.used, 12 * kMiB);
  EXPECT_GT(*status.inodes_used, 0U);
}

TEST_F(ImageTest, AMountThatSomebodyTookAwayIsMadeAgain) {
  const Volume volume = world.mounted();
  write_text(world.data(volume) + "/file", "text");
  ASSERT_EQ(::umount2(world.at(volume, "fs").c_str(), 0), 0);
  ASSERT_TRUE(world->mount(volume));
  EXPECT_EQ(read_text(world.data(volume) + "/file"), "text");
}

TEST_F(ImageTest, AnImageOfSomethingElseIsNotMounted) {
  const Volume volume = world.created(), other = world.created();
  std::filesystem::copy_file(world.at(other, "disk.img"), world.at(volume, "disk.img"),
                             std::filesystem::copy_options::overwrite_existing);
  EXPECT_EQ(world->mount(volume).error().code, Code::kConflict);
  EXPECT_THAT(world->status(volume)->health, HasSubstr("not this volume's"));
  write_text(world.at(volume, "disk.img"), std::string(kMiB, 'x'));
  EXPECT_EQ(world->mount(volume).error().code, Code::kConflict);
  EXPECT_FALSE(world.loop_of(volume));
}

TEST_F(ImageTest, AnImageReplacedByALinkIsNotFollowed) {
  const Volume volume = world.created(), other = world.created();
  std::filesystem::remove(world.at(volume, "disk.img"));
  std::filesystem::create_symlink(world.at(other, "disk.img"), world.at(volume, "disk.img"));
  EXPECT_FALSE(world->mount(volume));
  std::filesystem::remove(world.at(volume, "disk.img"));
  EXPECT_THAT(world->mount(volume).error().text,
              AllOf(HasSubstr("missing"), HasSubstr("put it back")));
  EXPECT_TRUE(world->remove(volume));
}

TEST_F(ImageTest, SomethingElseAtTheMountPointIsNamed) {
  const Volume volume = world.created();
  ASSERT_EQ(::mount("tmpfs", world.at(volume, "fs").c_str(), "tmpfs", 0, ""), 0);
  EXPECT_EQ(world->mount(volume).error().code, Code::kConflict);
  ASSERT_EQ(::umount2(world.at(volume, "fs").c_str(), 0), 0);
}

TEST_F(ImageTest, TwoHostsAndManyThreadsEndWithOneLoop) {
  const Volume volume = world.created();
  const auto another = make_image_backend(world.root());
  std::vector<std::thread> threads;
  for (int k = 0; k < 8; ++k)
    threads.emplace_back([&, k] {
      const auto done = (k % 2 == 0 ? world.backend() : *another).mount(volume);
      EXPECT_TRUE(done) << done.error().text;
    });
  for (auto& thread : threads) thread.join();
  EXPECT_TRUE(world.loop_of(volume));
  ASSERT_EQ(::umount2(world.at(volume, "fs").c_str(), 0), 0);
  EXPECT_EQ(mount_line(world.at(volume, "fs")), "");  // there was only one mount
}

TEST_F(ImageTest, AHostOfItsOwnMountNamespaceSharesTheLoopAndTheData) {
  const Volume volume = world.mounted();
  std::thread host([&] {
    ASSERT_TRUE(testing::enter_own_mount_namespace());
    ASSERT_EQ(::umount2(world.at(volume, "fs").c_str(), 0), 0);
    const auto another = make_image_backend(world.root());
    const auto done = another->mount(volume);
    ASSERT_TRUE(done) << done.error().text;
    write_text(*done + "/file", "from there");
    EXPECT_TRUE(another->unmount(volume));
  });
  host.join();
  EXPECT_EQ(read_text(world.data(volume) + "/file"), "from there");
}

TEST_F(ImageTest, ContainersKeepTheDataAfterTheLastUnmount) {
  const Volume volume = world.mounted();
  write_text(world.data(volume) + "/file", "text");
  testing::Scratch place;
  std::filesystem::create_directory(place / "target");
  testing::Holder container(world.data(volume), place / "target");
  ASSERT_TRUE(container.mounted());
  EXPECT_TRUE(world->unmount(volume));
  EXPECT_THAT(world->users(volume).value(), HasSubstr("holder"));
  EXPECT_TRUE(world.loop_of(volume));
  ASSERT_TRUE(world->mount(volume));  // the same file system again
  write_text(world.data(volume) + "/file", "text of now");
  EXPECT_EQ(read_text(fmt::format("/proc/{}/root{}/file", container.pid(), place / "target")),
            "text of now");
}

TEST_F(ImageTest, ADamagedImageIsSaidAndMended) {
  const Volume volume = world.created();
  EXPECT_TRUE(world->check(volume, false, {})->clean);
  ASSERT_TRUE(run({"debugfs", "-w", "-R", "clri _data", world.at(volume, "disk.img")}));
  auto report = world->check(volume, false, {}).value();
  EXPECT_FALSE(report.clean);
  EXPECT_FALSE(report.findings.empty());
  report = world->check(volume, true, {}).value();
  EXPECT_TRUE(report.clean);
  EXPECT_TRUE(world->check(volume, false, {})->clean);
}

TEST_F(ImageTest, TrashComesBackAsItWas) {
  Volume volume = world.mounted();
  write_text(world.data(volume) + "/file", "text");
  volume.deleted = 2000;
  ASSERT_TRUE(world->remove(volume));
  EXPECT_FALSE(is_there(world.at(volume, ".")));
  ASSERT_TRUE(world->restore(volume));
  EXPECT_TRUE(world->restore(volume));
  ASSERT_TRUE(world->mount(volume));
  EXPECT_EQ(read_text(world.data(volume) + "/file"), "text");
  ASSERT_TRUE(world->remove(volume));
  EXPECT_EQ(world->purge(volume, {}).value(), TrashState::kEmptied);
  EXPECT_EQ(world->restore(volume).error().code, Code::kNotFound);
}

}  // namespace
}  // namespace fairlead::volume
