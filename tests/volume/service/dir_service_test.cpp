#include <gmock/gmock.h>
#include <sys/stat.h>

#include "tests/volume/service/disk_world.h"

namespace fairlead::volume {
namespace {

using testing::DiskService;
using testing::expect_agreement;
using ::testing::HasSubstr;
using testing::Holder;
using testing::is_there;
using testing::write_text;

struct DirServiceTest : ::testing::Test {
  void SetUp() override {
    if (!testing::is_root()) GTEST_SKIP() << "owners and mounts need root";
  }
  testing::Scratch scratch;
  DiskService world{scratch.path()};
};

TEST_F(DirServiceTest, AVolumeIsCreatedMountedUsedAndRemoved) {
  ASSERT_TRUE(world.create("shop"));
  const auto mounted = world->mount("shop", "docker", "a");
  ASSERT_TRUE(mounted) << mounted.error().text;
  write_text(mounted->mountpoint + "/file", "text");
  ASSERT_TRUE(world->unmount("shop", "docker", "a"));
  expect_agreement(world, scratch.path());
  ASSERT_TRUE(world->remove("shop"));
  EXPECT_FALSE(is_there(mounted->mountpoint));
  expect_agreement(world, scratch.path());
}

TEST_F(DirServiceTest, AVolumeMountedInAnotherNamespaceIsKept) {
  const auto made = world.create("shop");
  std::filesystem::create_directory(scratch / "target");
  Holder holder(made->mountpoint, scratch / "target");
  ASSERT_TRUE(holder.mounted());
  const auto removed = world->remove("shop");
  ASSERT_FALSE(removed);
  EXPECT_EQ(removed.error().code, Code::kInUse);
  EXPECT_THAT(removed.error().text, HasSubstr(fmt::format("mounted at {} by holder (pid {})",
                                                          scratch / "target", holder.pid())));
  EXPECT_EQ(world->status(*made)->in_use, true);
  holder.let_go();
  EXPECT_TRUE(world->remove("shop"));
}

TEST_F(DirServiceTest, AMovedFolderIsToldAndNotReplacedByAnEmptyOne) {
  const auto made = world.create("shop");
  std::filesystem::rename(made->mountpoint, scratch / "elsewhere");
  EXPECT_THAT(world->mount("shop", "docker", "a").error().text, HasSubstr("missing"));
  EXPECT_FALSE(is_there(made->mountpoint));
  EXPECT_THAT(world->status(*made)->health, HasSubstr("missing"));
  EXPECT_THAT(world->reconcile()->failures, ::testing::ElementsAre(HasSubstr("missing")));
  EXPECT_TRUE(world->remove("shop"));
  expect_agreement(world, scratch.path());
}

// Each commit that lasts is a flush of the disk.
TEST_F(DirServiceTest, CreateAndRemoveAreOneCommitEach) {
  ASSERT_TRUE(world.create("first"));
  const auto before = world.store->revision().value();
  ASSERT_TRUE(world.create("shop"));
  EXPECT_EQ(world.store->revision().value(), before + 1);
  ASSERT_TRUE(world.create("shop"));
  EXPECT_EQ(world.store->revision().value(), before + 1);
  ASSERT_TRUE(world->remove("shop"));
  EXPECT_EQ(world.store->list("volume/")->size(), 1U);
  EXPECT_EQ(world.store->list("volume-name/")->size(), 1U);
  expect_agreement(world, scratch.path());
}

TEST_F(DirServiceTest, ANameIsFreeAtOnceWhenItsVolumeIsRemoved) {
  const auto first = world.create("shop");
  write_text(first->mountpoint + "/file", "text");
  ASSERT_TRUE(world->remove("shop"));
  const auto second = world.create("shop", {{"uid", "7"}});
  ASSERT_TRUE(second) << second.error().text;
  EXPECT_NE(second->id, first->id);
  EXPECT_FALSE(is_there(second->mountpoint + "/file"));
  expect_agreement(world, scratch.path());
}

// As after a power cut before its first mount, when nobody can have written to it.
TEST_F(DirServiceTest, AnUnusedVolumeWhoseFolderIsGoneIsMadeAgainAsItWas) {
  ASSERT_TRUE(world.create("first"));
  const auto made = world.create("shop", {{"uid", "7"}, {"mode", "0750"}});
  const std::filesystem::path folder = std::filesystem::path(made->mountpoint).parent_path();
  std::filesystem::remove_all(folder);
  const auto mounted = world->mount("shop", "docker", "a");
  ASSERT_TRUE(mounted) << mounted.error().text;
  struct stat info {};
  ASSERT_EQ(::stat(mounted->mountpoint.c_str(), &info), 0);
  EXPECT_EQ(info.st_uid, 7U);
  EXPECT_EQ(info.st_mode & 07777, 0750U);
  ASSERT_TRUE(world->unmount("shop", "docker", "a"));
  std::filesystem::remove_all(folder);
  EXPECT_THAT(world->mount("shop", "docker", "a").error().text, HasSubstr("missing"));
}

TEST_F(DirServiceTest, WithoutTheFolderOfAllVolumesNothingIsMadeInItsPlace) {
  ASSERT_TRUE(world.create("first"));
  ASSERT_TRUE(world.create("shop"));
  std::filesystem::rename(scratch / "volumes", scratch / "elsewhere");
  EXPECT_THAT(world->mount("shop", "docker", "a").error().text, HasSubstr("mount its disk"));
  std::filesystem::remove_all(scratch / "volumes");
  std::filesystem::rename(scratch / "elsewhere", scratch / "volumes");
  EXPECT_TRUE(world->mount("shop", "docker", "a"));
}

TEST_F(DirServiceTest, ManyFilesAreRemovedBehindTheAnswer) {
  const auto made = world.create("shop");
  for (int k = 0; k < 4000; ++k) write_text(fmt::format("{}/{}", made->mountpoint, k), "");
  ASSERT_TRUE(world->remove("shop"));
  expect_agreement(world, scratch.path());
}

TEST_F(DirServiceTest, WhatTheEndOfTheProcessInterruptsReconcileFinishes) {
  {
    DiskService other(scratch.path());
    const auto made = other.create("shop");
    for (int k = 0; k < 4000; ++k) write_text(fmt::format("{}/{}", made->mountpoint, k), "");
    ASSERT_TRUE(other->remove("shop"));
  }
  ASSERT_TRUE(world->reconcile());
  expect_agreement(world, scratch.path());
}

TEST_F(DirServiceTest, ALostStoreLosesNoData) {
  const auto made = world.create("shop");
  write_text(made->mountpoint + "/file", "precious");
  std::filesystem::create_directory(scratch / "new");
  std::filesystem::rename(scratch / "volumes", scratch / "new/volumes");
  DiskService fresh(scratch / "new");
  EXPECT_THAT(fresh->reconcile()->failures,
              ::testing::ElementsAre(HasSubstr("the data of volume shop is on the disk")));
  EXPECT_EQ(testing::read_text(scratch / ("new/volumes/vol/" + made->id + "/_data/file")),
            "precious");
}

TEST_F(DirServiceTest, ThousandVolumesComeAndGo) {
  const testing::Scratch memory(testing::Where::kMemory);
  DiskService busy(memory.path());
  for (int k = 0; k < 1000; ++k) {
    ASSERT_TRUE(busy.create("shop"));
    const auto removed = busy->remove("shop");
    ASSERT_TRUE(removed) << removed.error().text;
  }
  expect_agreement(busy, memory.path());
}

TEST_F(DirServiceTest, AFullListIsAnsweredFromTheStoreAlone) {
  for (int k = 0; k < 50; ++k) ASSERT_TRUE(world.create(fmt::format("shop-{}", k)));
  std::filesystem::rename(scratch / "volumes", scratch / "away");  // as a disk that is not mounted
  EXPECT_EQ(world->list()->size(), 50U);
  EXPECT_TRUE(world->inspect("shop-7"));
}

}  // namespace
}  // namespace fairlead::volume
