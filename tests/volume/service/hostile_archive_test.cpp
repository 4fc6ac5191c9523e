// Archives that want out: nothing outside of the folder is touched, and the message names the
// entry.
#include <atomic>
#include <thread>

#include "tests/volume/tar_maker.h"
#include "tests/volume/tree_facts.h"
#include "volume/service/archive_tree.h"

namespace fairlead::volume {
namespace {

using testing::facts_of;
using testing::is_there;
using testing::Scratch;
using testing::TarMaker;
using testing::write_text;

struct HostileArchiveTest : ::testing::Test {
  Scratch scratch;
  std::string data = scratch / "data", outside = scratch / "outside";
  std::map<std::string, std::string> before;
  WalkNotes notes;  // of unpack()

  void SetUp() override {
    if (!testing::is_root()) GTEST_SKIP() << "owners need root";
    std::filesystem::create_directory(data);
    std::filesystem::create_directories(outside + "/sub");
    write_text(outside + "/secret", "untouched");
    before = facts_of(outside);
  }
  void TearDown() override { EXPECT_EQ(facts_of(outside), before); }

  Status unpack(const std::string& bytes, TreeLimits limits = {}) {
    write_text(scratch / "archive", bytes);
    const UniqueFd in(::open((scratch / "archive").c_str(), O_RDONLY | O_CLOEXEC));
    const auto folder = Folder::open(data);
    TreeWriter writer(folder->fd(), Origin::kForeign, limits);
    auto done = import_tree(in.get(), {}, writer, 0, {});
    notes = writer.notes();
    return done;
  }
  void expect_refused(const TarMaker& tar, const std::string& word, TreeLimits limits = {},
                      Code code = Code::kInvalid) {
    const auto done = unpack(tar.bytes(), limits);
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().code, code) << done.error().text;
    EXPECT_NE(done.error().text.find(word), std::string::npos) << done.error().text;
    EXPECT_EQ(done.error().text.find('\n'), std::string::npos);
  }
};

// As tar(1) does; nothing is touched where they lead.
TEST_F(HostileArchiveTest, AbsoluteNamesAreTakenBeneathTheVolume) {
  const auto done = unpack(TarMaker()
                               .file("/etc/new", "x")
                               .file("//etc//other", "y")
                               .hard_link("/same", "/etc/new")
                               .bytes());
  ASSERT_TRUE(done) << done.error().text;
  EXPECT_EQ(testing::read_text(data + "/etc/new"), "x");
  EXPECT_EQ(testing::read_text(data + "/etc/other"), "y");
  EXPECT_EQ(testing::read_text(data + "/same"), "x");
  EXPECT_FALSE(is_there("/etc/new"));
  EXPECT_EQ(notes.left_out, 0U);
  expect_refused(TarMaker().file("/../outside/new", "x"), "\"..\"");
  expect_refused(TarMaker().link("way", outside).file("/way/secret", "x"), "way/secret");
}

TEST_F(HostileArchiveTest, NamesThatClimbAreRefused) {
  for (const char* name : {"../outside/new", "a/../../outside/new", "..", "a/..", "./../x"})
    expect_refused(TarMaker().file(name, "x"), "\"..\"");
}

TEST_F(HostileArchiveTest, WaysThroughALinkOfTheArchiveAreRefused) {
  expect_refused(TarMaker().link("way", outside).file("way/secret", "x"), "way/secret");
  expect_refused(TarMaker().link("sub", ".").file("sub/new", "x"), "sub/new");
  expect_refused(TarMaker().link("dir", outside).folder("dir"), "dir");
  expect_refused(TarMaker().link("deep", outside).folder("deep/sub/new"), "deep");
}

// A link is data. What would be written through it is refused.
TEST_F(HostileArchiveTest, LinksThatClimbOutAreKeptAndNotFollowed) {
  expect_refused(TarMaker().link("evil", "../outside").file("evil/new", "x"), "evil");
  expect_refused(TarMaker().link("a/evil", "../../outside").folder("a/evil"), "a/evil");
  EXPECT_EQ(std::filesystem::read_symlink(data + "/evil"), "../outside");
}

TEST_F(HostileArchiveTest, LinksAreKept) {
  const auto done =
      unpack(TarMaker().folder("a").link("a/up", "../b").link("etc", "/etc/passwd").bytes());
  ASSERT_TRUE(done) << done.error().text;
  EXPECT_EQ(std::filesystem::read_symlink(data + "/a/up"), "../b");
  EXPECT_EQ(std::filesystem::read_symlink(data + "/etc"), "/etc/passwd");
}

TEST_F(HostileArchiveTest, AFileReplacesALinkAndNotWhatItPointsTo) {
  const auto done =
      unpack(TarMaker().link("name", outside + "/secret").file("name", "mine").bytes());
  ASSERT_TRUE(done) << done.error().text;
  EXPECT_EQ(testing::read_text(data + "/name"), "mine");
}

TEST_F(HostileArchiveTest, HardLinksToOutsideAreRefused) {
  expect_refused(TarMaker().hard_link("evil", outside + "/secret"), "not in the archive");
  expect_refused(TarMaker().hard_link("evil", "../outside/secret"), "evil");
  expect_refused(TarMaker().link("way", outside).hard_link("evil", "way/secret"), "evil");
  expect_refused(TarMaker().hard_link("evil", "not-there"), "not-there");
  expect_refused(TarMaker().folder("sub").hard_link("evil", "sub"), "evil");
}

TEST_F(HostileArchiveTest, WritingThroughAHardLinkToALinkReplacesTheName) {
  const auto done = unpack(TarMaker()
                               .link("way", outside + "/secret")
                               .hard_link("other", "way")
                               .file("other", "mine")
                               .bytes());
  ASSERT_TRUE(done) << done.error().text;
  EXPECT_EQ(testing::read_text(data + "/other"), "mine");
}

TEST_F(HostileArchiveTest, DeviceNodesAreLeftOutAndCounted) {
  const auto done = unpack(TarMaker()
                               .file("disk", "first")
                               .add({.name = "null", .type = '3'})
                               .add({.name = "disk", .type = '4'})
                               .hard_link("again", "./null")
                               .file("kept", "k")
                               .bytes());
  ASSERT_TRUE(done) << done.error().text;
  EXPECT_EQ(notes.left_out, 3U);
  EXPECT_EQ(notes.lines.size(), 3U);
  EXPECT_EQ(testing::entries_in(data), 1U);
  EXPECT_EQ(testing::read_text(data + "/kept"), "k");
}

TEST_F(HostileArchiveTest, WhatReplacesASealedFileIsNotSealed) {
  const auto done = unpack(TarMaker()
                               .pax("SCHILY.fflags", "schg")
                               .file("name", "first")
                               .file("name", "second")
                               .pax("SCHILY.fflags", "schg")
                               .file("sealed", "x")
                               .bytes());
  ASSERT_TRUE(done) << done.error().text;
  EXPECT_EQ(testing::flags_at(data + "/name"), 0U);
  EXPECT_EQ(testing::flags_at(data + "/sealed"), std::uint32_t{FS_IMMUTABLE_FL});
}

TEST_F(HostileArchiveTest, SetuidIsKeptAsTheVolumesFolderIsClosedToOthers) {
  const auto done = unpack(TarMaker().add({.name = "su", .mode = "0004755"}, "x").bytes());
  ASSERT_TRUE(done) << done.error().text;
  struct stat info {};
  ASSERT_EQ(::stat((data + "/su").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 04755U);
}

TEST_F(HostileArchiveTest, MoreThanTheVolumeMayHoldIsRefused) {
  TarMaker many;
  for (int k = 0; k < 5; ++k) many.file(fmt::format("file-{}", k), std::string(300, 'x'));
  expect_refused(many, "file-3", {.bytes = 1000}, Code::kExhausted);
  expect_refused(many, "file-2", {.entries = 2}, Code::kExhausted);
}

TEST_F(HostileArchiveTest, ALieAboutTheSizeIsRefused) {
  EXPECT_FALSE(unpack(TarMaker().add({.name = "huge", .size = "77777777777"}, "x").bytes()));
  EXPECT_FALSE(unpack(TarMaker()
                          .pax("GNU.sparse.major", "1")
                          .pax("GNU.sparse.realsize", "9223372036854775807")
                          .add({.name = "sparse", .size = "77777777777"})
                          .bytes()));
}

TEST_F(HostileArchiveTest, NamesWithControlBytesAreMaskedInMessages) {
  expect_refused(TarMaker().file("../a\nb\x1b[31m", "x"), "a?b?[31m");
}

TEST_F(HostileArchiveTest, ANulInANameEndsItAndLeadsNowhere) {
  const auto done = unpack(
      TarMaker().pax("path", std::string("inside\0/../../outside/new", 25)).file("x", "x").bytes());
  EXPECT_TRUE(!done || is_there(data + "/inside"));
}

TEST_F(HostileArchiveTest, NoArchiveAtAllIsRefused) {
  EXPECT_FALSE(unpack(""));
  EXPECT_FALSE(unpack(testing::noise(100'000, 7)));
  EXPECT_FALSE(unpack("#!/bin/sh\necho no archive\n"));
}

TEST_F(HostileArchiveTest, TheFolderItselfCannotBecomeAnythingElse) {
  expect_refused(TarMaker().link(".", outside), "top");
  expect_refused(TarMaker().file("./", "x"), "");
  expect_refused(TarMaker().folder("a").file("a/b", "x").file("a", "x"), "folder");
}

// A thread swaps a folder for a link that leads out while we extract into it.
TEST_F(HostileArchiveTest, AFolderSwappedForALinkWhileExtractingIsNeverFollowed) {
  TarMaker tar;
  for (int k = 0; k < 150; ++k)
    tar.file(fmt::format("a/{}", k), "x").folder(fmt::format("a/d{}/e", k)).file("other/x", "y");
  const std::string bytes = tar.bytes();
  const auto top = Folder::open(data);
  int refused = 0;
  for (int round = 0; round < 20; ++round) {
    ASSERT_TRUE(remove_tree(*top, "a"));
    ASSERT_TRUE(remove_tree(*top, "b"));
    std::filesystem::create_directory(data + "/a");
    std::filesystem::create_symlink(outside, data + "/b");
    std::atomic<bool> end = false;
    std::thread swapper([&] {
      while (!end) (void)top->exchange("a", *top, "b");
    });
    if (!unpack(bytes)) ++refused;
    end = true;
    swapper.join();
    ASSERT_EQ(facts_of(outside), before);
  }
  EXPECT_GT(refused, 0);  // else the race was never met
}

}  // namespace
}  // namespace fairlead::volume
