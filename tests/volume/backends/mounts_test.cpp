// The backends that mount what is not theirs, or memory: tmpfs, bind, nfs, cifs, mount.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "tests/volume/backends/a_volume.h"
#include "tests/volume/loop_disk.h"
#include "tests/volume/shown_twice.h"
#include "volume/backends/bind.h"
#include "volume/backends/remote.h"
#include "volume/backends/tmpfs.h"

namespace fairlead::volume {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using testing::is_there;
using ::testing::Not;
using testing::read_text;
using testing::Scratch;
using testing::write_text;

struct MountsTest : ::testing::Test {
  void SetUp() override {
    if (!testing::is_root()) GTEST_SKIP() << "mounting needs root";
    std::filesystem::create_directories(scratch / "srv/shop");
    std::filesystem::create_directory(scratch / "target");
  }
  Volume created(std::map<std::string, std::string> options) {
    const auto parsed = parse_options(options);
    EXPECT_TRUE(parsed);
    const auto fits = backend->validate(*parsed);
    EXPECT_TRUE(fits) << fits.error().text;
    return testing::made_by(*backend, testing::a_volume(backend->name(), std::move(options)));
  }
  void remove(Volume volume) {
    volume.deleted = 2000;
    EXPECT_TRUE(backend->remove(volume));
    EXPECT_EQ(backend->purge(volume, {}).value(), TrashState::kEmptied);
    EXPECT_EQ(testing::entries_in(scratch / "root/trash"), 0U);
  }
  Error refusal(const std::map<std::string, std::string>& options) const {
    const auto parsed = parse_options(options);
    if (!parsed) return parsed.error();
    const auto fits = backend->validate(*parsed);
    return fits ? Error{} : fits.error();
  }

  Scratch scratch;
  std::unique_ptr<Backend> backend;
};

struct TmpfsTest : MountsTest {
  void SetUp() override {
    MountsTest::SetUp();
    backend = make_tmpfs_backend(scratch / "root");
  }
};

TEST_F(TmpfsTest, SizeInodesOwnerAndModeAreThoseAskedFor) {
  const Volume volume =
      created({{"type", "tmpfs"}, {"device", "tmpfs"}, {"o", "size=1m,inodes=10,uid=7,mode=0700"}});
  const auto path = backend->mount(volume);
  ASSERT_TRUE(path) << path.error().text;
  struct stat info {};
  ASSERT_EQ(::stat(path->c_str(), &info), 0);
  EXPECT_EQ(info.st_uid, 7U);
  EXPECT_EQ(info.st_mode & 07777U, 0700U);
  EXPECT_EQ(backend->status(volume)->size, 1U << 20);
  write_text(*path + "/large", std::string(2 << 20, 'x'));
  EXPECT_LT(std::filesystem::file_size(*path + "/large"), 2U << 20);
  remove(volume);
}

TEST_F(TmpfsTest, TheDataGoesWithTheLastUnmount) {
  const Volume volume = created({{"backend", "tmpfs"}});
  const auto path = backend->mount(volume);
  ASSERT_TRUE(path);
  write_text(*path + "/file", "x");
  EXPECT_EQ(*backend->mount(volume), *path);
  EXPECT_TRUE(is_there(*path + "/file"));
  ASSERT_TRUE(backend->unmount(volume));
  ASSERT_TRUE(backend->mount(volume));
  EXPECT_FALSE(is_there(*path + "/file"));
  remove(volume);
}

TEST_F(TmpfsTest, AContainerThatLivesOnKeepsTheMemoryThere) {
  const Volume volume = created({{"backend", "tmpfs"}});
  const auto path = backend->mount(volume);
  ASSERT_TRUE(path);
  EXPECT_EQ(*backend->users(volume), "");
  testing::Holder holder(*path, scratch / "target");
  EXPECT_THAT(*backend->users(volume), HasSubstr("holder"));
  EXPECT_EQ(backend->status(volume)->in_use, true);
  write_text(*path + "/file", "x");
  ASSERT_TRUE(backend->unmount(volume));  // a lost count: the kernel knows better
  EXPECT_TRUE(is_there(*backend->mount(volume) + "/file"));
  holder.let_go();
  ASSERT_TRUE(backend->unmount(volume));
  EXPECT_EQ(testing::entries_in(scratch / ("root/vol/" + volume.id + "/fs")), 0U);
  remove(volume);
}

TEST_F(TmpfsTest, AFolderThatIsShownTwiceKeepsNoVolumeFromBeingRemoved) {
  const testing::ShownTwice shown(scratch / "share", scratch / "root");
  const Volume volume = created({{"backend", "tmpfs"}});
  const auto path = backend->mount(volume);
  ASSERT_TRUE(path) << path.error().text;
  write_text(*path + "/file", "x");
  EXPECT_TRUE(is_there(shown.other + "/vol/" + volume.id + "/fs/_data/file"));
  EXPECT_EQ(*backend->users(volume), "");
  EXPECT_EQ(backend->status(volume)->in_use, false);
  ASSERT_TRUE(backend->unmount(volume));
  EXPECT_FALSE(is_there(shown.other + "/vol/" + volume.id + "/fs/_data/file"));
  remove(volume);
}

TEST_F(TmpfsTest, WhatMemoryCannotKeepIsRefused) {
  EXPECT_EQ(refusal({{"backend", "tmpfs"}, {"from", "other"}}).code, Code::kUnsupported);
  EXPECT_EQ(refusal({{"backend", "tmpfs"}, {"snapshots", "daily:1"}}).code, Code::kUnsupported);
  EXPECT_EQ(refusal({{"type", "tmpfs"}, {"o", "data=journal"}}).code, Code::kUnsupported);
}

struct BindTest : MountsTest {
  void SetUp() override {
    MountsTest::SetUp();
    backend = make_bind_backend(scratch / "root", {scratch / "srv/"});
  }
  std::map<std::string, std::string> bound(const std::string& words = "bind") const {
    return {{"type", "none"}, {"o", words}, {"device", scratch / "srv/shop"}};
  }
};

TEST_F(BindTest, AFolderBeneathARootIsShownAndKeptOnRemove) {
  const Volume volume = created(bound());
  const auto path = backend->mount(volume);
  ASSERT_TRUE(path) << path.error().text;
  write_text(*path + "/file", "x");
  EXPECT_EQ(read_text(scratch / "srv/shop/file"), "x");
  EXPECT_EQ(*backend->users(volume), "");
  {
    const testing::Holder holder(*path, scratch / "target");
    EXPECT_THAT(*backend->users(volume), HasSubstr("holder"));
  }
  remove(volume);
  EXPECT_EQ(read_text(scratch / "srv/shop/file"), "x");
}

TEST_F(BindTest, ReadOnlyIsHonoured) {
  const Volume volume = created(bound("bind,ro"));
  const auto path = backend->mount(volume);
  ASSERT_TRUE(path) << path.error().text;
  EXPECT_LT(::open((*path + "/file").c_str(), O_WRONLY | O_CREAT, 0600), 0);
  EXPECT_EQ(errno, EROFS);
  remove(volume);
}

TEST_F(BindTest, NothingOutsideOfTheRootsIsShown) {
  std::filesystem::create_directory(scratch / "secret");
  std::filesystem::create_directory_symlink(scratch / "secret", scratch / "srv/way-out");
  write_text(scratch / "srv/file", "x");
  for (const std::string& device :
       {std::string("/etc"), scratch / "secret", scratch / "srv/../secret", scratch / "srv",
        scratch / "srv/way-out", scratch / "srv-other", scratch / "srv/file", std::string("srv")})
    EXPECT_EQ(refusal({{"type", "none"}, {"o", "bind"}, {"device", device}}).code, Code::kInvalid)
        << device;
  EXPECT_THAT(refusal({{"type", "none"}, {"o", "bind"}, {"device", "/etc"}}).text,
              HasSubstr("bind_roots"));
}

TEST_F(BindTest, WithoutRootsTheHintNamesTheKey) {
  backend = make_bind_backend(scratch / "root", {});
  EXPECT_THAT(refusal(bound()).text, AllOf(HasSubstr("bind_roots"), HasSubstr("fairlead.json")));
}

TEST_F(BindTest, AFolderThatBecameALinkIsNotFollowed) {
  const Volume volume = created(bound());
  std::filesystem::remove(scratch / "srv/shop");
  std::filesystem::create_directory_symlink("/etc", scratch / "srv/shop");
  EXPECT_FALSE(backend->mount(volume));
  EXPECT_NE(backend->status(volume)->health, "ok");
  remove(volume);
}

TEST(RemoteOptions, AreThoseOfDockersLocalDriver) {
  const auto options = parse_options(
      {{"type", "nfs"}, {"device", ":/export"}, {"o", "addr=server.example,rw,nfsvers=4,noexec"}});
  ASSERT_TRUE(options);
  const auto what = remote_mount("nfs", *options, "", [](const std::string& host) {
    EXPECT_EQ(host, "server.example");
    return Result<std::string>("192.0.2.1");
  });
  ASSERT_TRUE(what);
  EXPECT_EQ(what->type, "nfs");
  EXPECT_EQ(what->source, ":/export");
  EXPECT_THAT(what->options, Contains("addr=192.0.2.1"));
  EXPECT_THAT(what->options, Contains("nfsvers=4"));
  EXPECT_THAT(what->options, Contains("softerr"));
  EXPECT_TRUE(what->flags.noexec);
  EXPECT_TRUE(what->flags.nosuid);
  EXPECT_FALSE(what->read_only_fs);
}

TEST(RemoteOptions, HardStaysHardAndTheHostOfTheDeviceIsLookedUp) {
  const auto options =
      parse_options({{"type", "nfs"}, {"device", "server:/export"}, {"o", "hard,ro"}});
  ASSERT_TRUE(options);
  const auto what = remote_mount("nfs", *options, "",
                                 [](const std::string&) { return Result<std::string>("::1"); });
  ASSERT_TRUE(what);
  EXPECT_THAT(what->options, Not(Contains("softerr")));
  EXPECT_THAT(what->options, Contains("addr=::1"));
  EXPECT_TRUE(what->read_only_fs);
}

TEST(RemoteOptions, CredentialsComeFromTheFileAndNotFromTheOptions) {
  const auto options = parse_options({{"type", "cifs"}, {"device", "//server/share"}});
  ASSERT_TRUE(options);
  const Resolve known = [](const std::string&) { return Result<std::string>("192.0.2.1"); };
  const auto what =
      remote_mount("cifs", *options, "username=me\npassword=a,b=c\ndomain=home\n", known);
  ASSERT_TRUE(what);
  EXPECT_THAT(what->options, Contains("user=me"));
  EXPECT_THAT(what->options, Contains("password=a,b=c"));
  EXPECT_THAT(remote_mount("cifs", *options, "secret\n", known)->options,
              Contains("password=secret"));
  EXPECT_FALSE(remote_mount("cifs", *options, "a\nb\n", known));
  const auto ceph = parse_options({{"type", "ceph"}, {"device", "192.0.2.1:/"}});
  const auto mount = remote_mount("mount", *ceph, "user=admin\npassword=AQ==\n", known);
  EXPECT_THAT(mount->options, Contains("name=admin"));
  EXPECT_THAT(mount->options, Contains("secret=AQ=="));
}

TEST(RemoteOptions, OwnersAreGivenToFileSystemsThatKeepNone) {
  const auto options =
      parse_options({{"type", "cifs"}, {"device", "//192.0.2.1/share"}, {"o", "uid=1000"}});
  ASSERT_TRUE(options);
  const Resolve same = [](const std::string& host) { return Result<std::string>(host); };
  EXPECT_THAT(remote_mount("cifs", *options, "", same)->options,
              AllOf(Contains("uid=1000"), Contains("addr=192.0.2.1")));
}

TEST(RemoteOptions, HostsOfDevices) {
  EXPECT_EQ(host_of("server:/export"), "server");
  EXPECT_EQ(host_of("[2001:db8::1]:/export"), "2001:db8::1");
  EXPECT_EQ(host_of("//server/share"), "server");
  EXPECT_EQ(host_of(":/export"), "");
  EXPECT_EQ(host_of("/dev/vdb"), "");
}

struct RemoteTest : MountsTest {
  // A kernel that has every file system, and a mount that is a tmpfs.
  RemoteEnvironment fake() {
    return {.deadline = std::chrono::milliseconds(4000),
            .resolve = [](const std::string&) { return Result<std::string>("192.0.2.1"); },
            .can_mount = [](const std::string&) { return true; },
            .mount =
                [this](const NewMount& what, int folder, std::chrono::milliseconds deadline) {
                  asked = what;
                  return mount_with_deadline({.type = "tmpfs", .source = "none"}, folder, deadline);
                }};
  }
  NewMount asked;
};

TEST_F(RemoteTest, AShareIsMountedOnceAndUnmounted) {
  backend = make_remote_backend("nfs", scratch / "root", {}, fake());
  const Volume volume =
      created({{"type", "nfs"}, {"device", ":/export"}, {"o", "addr=server.example"}});
  const auto path = backend->mount(volume);
  ASSERT_TRUE(path) << path.error().text;
  EXPECT_EQ(asked.source, ":/export");
  write_text(*path + "/file", "x");
  asked = {};
  EXPECT_EQ(*backend->mount(volume), *path);
  EXPECT_EQ(asked.source, "");
  {
    const testing::Holder holder(*path, scratch / "target");
    EXPECT_THAT(*backend->users(volume), HasSubstr("holder"));
  }
  EXPECT_EQ(*backend->users(volume), "");
  ASSERT_TRUE(backend->unmount(volume));
  ASSERT_TRUE(backend->unmount(volume));
  EXPECT_FALSE(is_there(*path + "/file"));
  remove(volume);
}

TEST_F(RemoteTest, AKernelWithoutTheClientSaysWhichIsMissing) {
  auto around = fake();
  around.can_mount = [](const std::string& type) { return type != "nfs"; };
  backend = make_remote_backend("nfs", scratch / "root", {}, around);
  const auto refused = refusal({{"type", "nfs"}, {"device", "server:/export"}});
  EXPECT_EQ(refused.code, Code::kUnsupported);
  EXPECT_THAT(refused.text, HasSubstr("no file system nfs"));
}

TEST_F(RemoteTest, FileSystemsThatReachTheHostAreRefused) {
  backend = make_remote_backend("mount", scratch / "root", {scratch / "srv"}, fake());
  for (const char* type : {"overlay", "proc", "sysfs", "devtmpfs", "bpf", "fuse", "cgroup2"})
    EXPECT_EQ(refusal({{"type", type}, {"device", "x"}, {"o", "lowerdir=/etc"}}).code,
              Code::kUnsupported)
        << type;
}

TEST_F(RemoteTest, ABlockDeviceNeedsARootThatAllowsIt) {
  const testing::LoopDisk disk("ext4");
  if (!disk.ok()) GTEST_SKIP() << disk.why();
  const auto loops =
      run_process(std::vector<std::string>{"losetup", "-n", "-O", "NAME", "-j", disk.image()},
                  std::chrono::seconds(10));
  ASSERT_TRUE(loops);
  const std::string device = loops->out.substr(0, loops->out.find('\n'));
  backend = make_remote_backend("mount", scratch / "root", {});
  EXPECT_THAT(refusal({{"type", "ext4"}, {"device", device}}).text, HasSubstr("bind_roots"));
  backend = make_remote_backend("mount", scratch / "root", {"/dev"});
  write_text(disk / "file", "x");
  const Volume volume = created({{"type", "ext4"}, {"device", device}});
  const auto path = backend->mount(volume);
  ASSERT_TRUE(path) << path.error().text;
  EXPECT_EQ(read_text(*path + "/file"), "x");
  remove(volume);
  EXPECT_EQ(read_text(disk / "file"), "x");
}

TEST_F(RemoteTest, APasswordInTheOptionsIsRefusedAndNotRepeated) {
  backend = make_remote_backend("cifs", scratch / "root", {}, fake());
  EXPECT_THAT(
      refusal({{"type", "cifs"}, {"device", "//server/share"}, {"o", "username=me,password=abc"}})
          .text,
      AllOf(HasSubstr("passwordfile="), Not(HasSubstr("abc"))));
}

TEST_F(RemoteTest, APasswordFileThatOthersReadIsRefused) {
  backend = make_remote_backend("cifs", scratch / "root", {}, fake());
  write_text(scratch / "password", "secret");
  const Volume volume = created(
      {{"type", "cifs"}, {"device", "//server/share"}, {"passwordfile", scratch / "password"}});
  ::chmod((scratch / "password").c_str(), 0644);
  EXPECT_THAT(backend->mount(volume).error().text,
              AllOf(HasSubstr("chmod 600"), Not(HasSubstr("secret"))));
  ::chmod((scratch / "password").c_str(), 0600);
  EXPECT_TRUE(backend->mount(volume));
  EXPECT_THAT(asked.options, Contains("password=secret"));
  remove(volume);
}

}  // namespace
}  // namespace fairlead::volume
