// Looking into volumes, snapshots and backups: what is listed, printed and copied, and that nobody
// who filled a volume leads out of it.
#include "volume/service/content.h"

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <filesystem>

#include "tests/volume/service/archive_world.h"
#include "volume/kernel/archive.h"

namespace fairlead::volume {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using testing::ArchiveWorld;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::read_text;
using testing::Scratch;
using testing::write_text;
using Reach = VolumeContent::Reach;

// Where the same content is looked at.
enum class From { kVolume, kSnapshot, kBackup };
void PrintTo(From from, std::ostream* out) {
  *out << (from == From::kVolume ? "volume" : from == From::kSnapshot ? "snapshot" : "backup");
}

class ContentTest : public ::testing::TestWithParam<From> {
 protected:
  void SetUp() override {
    if (!testing::is_root()) GTEST_SKIP() << "owners need root";
    const auto made = testing::create_volume(*world.service, "shop", {{"backend", "dir"}});
    ASSERT_TRUE(made) << made.error().text;
    data = made->mountpoint;
    fill();
    ASSERT_TRUE(world.service->take_snapshot("shop", "monday", {}));
    ASSERT_TRUE(world.archives->back_up("shop", scratch / "backup", {}));
  }
  virtual void fill() {
    fs::create_directories(data + "/etc/deep/er");
    write_text(data + "/etc/app.conf", "port=80\n");
    fs::create_hard_link(data + "/etc/app.conf", data + "/etc/deep/linked");
    fs::create_hard_link(data + "/etc/app.conf", data + "/etc/deep/linked-2");
    fs::create_symlink("../../../../etc/passwd", data + "/etc/out");
    fs::create_symlink("/etc", data + "/absolute");
    write_text(data + "/etc/odd\x1b\xff name", "odd");
    ASSERT_EQ(::chmod((data + "/etc/app.conf").c_str(), 0640), 0);
    ASSERT_EQ(::chown((data + "/etc/app.conf").c_str(), 7, 8), 0);
    write_text(data + "/sparse", "begin");
    ASSERT_EQ(::truncate((data + "/sparse").c_str(), 3 << 20), 0);
  }
  ContentPlace at(const std::string& path) const {
    ContentPlace place{.volume = "shop", .snapshot = {}, .from = {}, .backup = {}, .path = path};
    if (GetParam() == From::kSnapshot) place.snapshot = "monday";
    if (GetParam() == From::kBackup) place.from = scratch / "backup";
    return place;
  }
  std::vector<std::string> listed(const std::string& path, Reach reach = Reach::kHere) {
    std::vector<std::string> paths;
    const auto done = content->list(at(path), reach, [&](const ContentEntry& entry) -> Status {
      paths.push_back(entry.path);
      entries[entry.path] = entry;
      return {};
    });
    EXPECT_TRUE(done) << done.error().text;
    return paths;
  }
  Result<std::string> printed(const std::string& path) {
    const std::string file = scratch / "printed";
    const UniqueFd out(::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    TRY_STATUS(content->read(at(path), out.get(), {}));
    return read_text(file);
  }
  std::string to(const std::string& name) const { return scratch / name; }

  Scratch scratch;
  ArchiveWorld world{scratch.path()};
  std::unique_ptr<VolumeContent> content =
      make_volume_content(*world.service, *world.store, world.locks, *world.backends);
  std::string data;
  std::map<std::string, ContentEntry> entries;
};

TEST_P(ContentTest, AFolderIsListedByNameWithItsMetadata) {
  EXPECT_THAT(listed(""), ElementsAre("absolute", "etc", "sparse"));
  EXPECT_THAT(listed("etc"),
              ElementsAre("etc/app.conf", "etc/deep", "etc/odd\x1b\xff name", "etc/out"));
  const ContentEntry& conf = entries["etc/app.conf"];
  EXPECT_EQ(conf.kind, ContentKind::kFile);
  EXPECT_EQ(conf.mode, 0640U);
  EXPECT_EQ(conf.uid, 7U);
  EXPECT_EQ(conf.gid, 8U);
  EXPECT_EQ(conf.size, 8U);
  EXPECT_GT(conf.modified, 1700000000);
  EXPECT_EQ(entries["etc/out"].kind, ContentKind::kSymlink);
  EXPECT_EQ(entries["etc/out"].target, "../../../../etc/passwd");
  EXPECT_THAT(listed("etc/app.conf"), ElementsAre("etc/app.conf"));
  EXPECT_THAT(listed("etc/out"), ElementsAre("etc/out"));
  EXPECT_THAT(listed("etc/deep/er"), ::testing::IsEmpty());
  EXPECT_THAT(listed("etc/deep", Reach::kBelow),
              ElementsAre("etc/deep/er", "etc/deep/linked", "etc/deep/linked-2"));
  EXPECT_EQ(listed("", Reach::kBelow).size(), 10U);
}

TEST_P(ContentTest, AFileIsPrintedAsItIs) {
  EXPECT_EQ(printed("etc/app.conf").value(), "port=80\n");
  EXPECT_EQ(printed("etc/deep/linked-2").value(), "port=80\n");
  EXPECT_EQ(printed("etc/odd\x1b\xff name").value(), "odd");
  EXPECT_EQ(printed("sparse").value(), "begin" + std::string((3 << 20) - 5, '\0'));
}

TEST_P(ContentTest, ThroughALinkNothingIsReached) {
  for (const char* path : {"etc/out", "absolute", "absolute/passwd", "etc/out/x"}) {
    const auto refused = printed(path);
    ASSERT_FALSE(refused) << path;
    EXPECT_EQ(refused.error().code, Code::kInvalid) << path;
    EXPECT_THAT(refused.error().text, HasSubstr("symbolic link to")) << path;
  }
  for (const char* path : {"..", "etc/../..", "etc/../../x", "/etc/passwd", "./etc"})
    EXPECT_FALSE(printed(path)) << path;
  EXPECT_EQ(content->list(at("absolute/ssh"), Reach::kBelow, {}).error().code, Code::kInvalid);
  EXPECT_EQ(content->copy(at("absolute/passwd"), to("stolen"), {}).error().code, Code::kInvalid);
  EXPECT_FALSE(testing::is_there(to("stolen")));
}

TEST_P(ContentTest, WhatIsNotThereIsNotFound) {
  for (const char* path : {"nothing", "etc/nothing", "nothing/deeper"})
    EXPECT_EQ(printed(path).error().code, Code::kNotFound) << path;
  EXPECT_EQ(printed(std::string(300, 'x')).error().code, Code::kNotFound);
  EXPECT_EQ(printed("sparse/x").error().code, Code::kInvalid);
  EXPECT_THAT(printed("etc").error().text, HasSubstr("is a folder"));
  ContentPlace place = at("etc");
  place.volume = "none";
  EXPECT_EQ(content->list(place, Reach::kHere, {}).error().code, Code::kNotFound);
}

TEST_P(ContentTest, AFileIsCopiedAsDockerCpDoes) {
  const auto report = content->copy(at("etc/app.conf"), to("as.conf"), {});
  ASSERT_TRUE(report) << report.error().text;
  EXPECT_EQ(report->entries, 1U);
  EXPECT_EQ(report->bytes, 8U);
  EXPECT_EQ(report->left_out.count, 0U);
  EXPECT_EQ(read_text(to("as.conf")), "port=80\n");
  struct stat info {};
  ASSERT_EQ(::stat(to("as.conf").c_str(), &info), 0);
  EXPECT_EQ(info.st_uid, 7U);
  EXPECT_EQ(info.st_mode & 07777U, 0640U);
  EXPECT_EQ(info.st_nlink, 1U);
  fs::create_directory(to("folder"));
  ASSERT_TRUE(content->copy(at("etc/app.conf"), to("folder"), {}));  // into a folder
  EXPECT_EQ(read_text(to("folder/app.conf")), "port=80\n");
  write_text(to("as.conf"), "mine");
  ASSERT_TRUE(content->copy(at("etc/app.conf"), to("as.conf"), {}));  // over a file
  EXPECT_EQ(read_text(to("as.conf")), "port=80\n");
  EXPECT_EQ(content->copy(at("etc/app.conf"), to("no/such"), {}).error().code, Code::kNotFound);
  EXPECT_EQ(content->copy(at("etc/app.conf"), to("no-such/"), {}).error().code, Code::kInvalid);
  EXPECT_EQ(content->copy(at("etc"), to("as.conf"), {}).error().code, Code::kInvalid);
  // a link is copied as a link, wherever it leads
  ASSERT_TRUE(content->copy(at("etc/out"), to("link"), {}));
  EXPECT_EQ(fs::read_symlink(to("link")), "../../../../etc/passwd");
}

TEST_P(ContentTest, AFolderIsCopiedWithEverything) {
  const auto report = content->copy(at("etc"), to("new"), {});
  ASSERT_TRUE(report) << report.error().text;
  EXPECT_EQ(testing::facts_of(to("new")), testing::facts_of(data + "/etc"));
  fs::create_directory(to("there"));
  ASSERT_TRUE(content->copy(at("etc"), to("there"), {}));
  EXPECT_EQ(testing::facts_of(to("there/etc")), testing::facts_of(data + "/etc"));
  ASSERT_TRUE(content->copy(at(""), to("whole"), {}));
  EXPECT_EQ(testing::facts_of(to("whole")), testing::facts_of(data));
  struct stat info {};  // the holes stay
  ASSERT_EQ(::stat(to("whole/sparse").c_str(), &info), 0);
  EXPECT_LT(info.st_blocks, 1000);
}

// Links to a file outside of what is copied are links to one another in the copy.
TEST_P(ContentTest, HardLinksFromOutsideAreKeptAmongThemselves) {
  ASSERT_TRUE(content->copy(at("etc/deep"), to("deep"), {}));
  struct stat one {
  }, two{};
  ASSERT_EQ(::stat(to("deep/linked").c_str(), &one), 0);
  ASSERT_EQ(::stat(to("deep/linked-2").c_str(), &two), 0);
  EXPECT_EQ(one.st_ino, two.st_ino);
  EXPECT_EQ(one.st_nlink, 2U);
  EXPECT_EQ(read_text(to("deep/linked")), "port=80\n");
}

TEST_P(ContentTest, ATarIsPlainAndUnderItsOwnName) {
  const std::string file = to("etc.tar");
  {
    const UniqueFd out(::open(file.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    const auto report = content->archive(at("etc"), out.get(), {});
    ASSERT_TRUE(report) << report.error().text;
  }
  EXPECT_EQ(read_text(file).substr(257, 5), "ustar");
  const UniqueFd in(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  auto reader = ArchiveReader::open(in.get());
  ASSERT_TRUE(reader);
  std::map<std::string, std::string> found;
  for (;;) {
    const auto entry = reader->next();
    ASSERT_TRUE(entry) << entry.error().text;
    if (!*entry) break;
    std::string& text = found[(*entry)->path];
    for (auto block = reader->read(); block && *block; block = reader->read())
      text += (*block)->bytes;
  }
  EXPECT_EQ(found.size(), 8U);
  EXPECT_EQ(found["./etc/app.conf"], "port=80\n");
  EXPECT_TRUE(found.contains("./etc/deep/er/"));
}

INSTANTIATE_TEST_SUITE_P(Places, ContentTest,
                         ::testing::Values(From::kVolume, From::kSnapshot, From::kBackup),
                         ::testing::PrintToStringParamName());

using OneContent = ContentTest;
INSTANTIATE_TEST_SUITE_P(Volume, OneContent, ::testing::Values(From::kVolume));

TEST_P(OneContent, DevicesAndSocketsAreNamedAsLeftOut) {
  ASSERT_EQ(::mknod((data + "/etc/null").c_str(), S_IFCHR | 0666, makedev(1, 3)), 0);
  const auto report = content->copy(at("etc"), to("new"), {});
  ASSERT_TRUE(report) << report.error().text;
  EXPECT_EQ(report->left_out.count, 1U);
  EXPECT_THAT(report->left_out.notes.front(), HasSubstr("null"));
  EXPECT_EQ(content->copy(at("etc/null"), to("null"), {}).error().code, Code::kInvalid);
  EXPECT_EQ(printed("etc/null").error().code, Code::kInvalid);  // and does not read for ever
  EXPECT_THAT(listed("etc"), ::testing::Contains("etc/null"));
  ASSERT_EQ(::mkfifo((data + "/etc/pipe").c_str(), 0600), 0);
  EXPECT_EQ(printed("etc/pipe").error().code, Code::kInvalid);  // nor waits for a writer
}

// The lock of the content is held by a backup as long as it runs.
TEST_P(OneContent, IsLookedAtWhileSomebodyElseReads) {
  const std::string id = world.service->inspect("shop")->id;
  const auto reader = world.locks.lock("volume.content-" + id, std::chrono::milliseconds(0));
  ASSERT_TRUE(reader);
  EXPECT_EQ(printed("etc/app.conf").value(), "port=80\n");
}

TEST_P(OneContent, ABackupIsChosenByItsIdAndVolume) {
  write_text(data + "/etc/app.conf", "port=8080\n");
  const std::string first = world.archives->backups(scratch / "backup")->front().id;
  ASSERT_TRUE(world.archives->back_up("shop", scratch / "backup", {}));
  ContentPlace place = at("etc/app.conf");
  place.from = scratch / "backup";
  const auto text_of = [&](const std::string& id) {
    place.backup = id;
    const UniqueFd out(::open(to("text").c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    const auto done = content->read(place, out.get(), {});
    return done ? read_text(to("text")) : done.error().text;
  };
  EXPECT_EQ(text_of(""), "port=8080\n");
  EXPECT_EQ(text_of(first), "port=80\n");
  EXPECT_THAT(text_of("20200101T000000Z-0"),
              HasSubstr("there is no backup \"20200101T000000Z-0\""));
  place.volume = "other";
  EXPECT_THAT(text_of(first), HasSubstr("of volume \"other\""));
}

TEST_P(OneContent, OfADamagedBackupNoWrongByteIsGiven) {
  for (const auto& pack : fs::directory_iterator(scratch / "backup/packs")) {
    std::fstream file(pack.path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(30);
    file.write("XXXX", 4);
  }
  ContentPlace place = at("");
  place.from = scratch / "backup";
  const auto copied = content->copy(place, to("damaged"), {});
  ASSERT_FALSE(copied);
  EXPECT_THAT(copied.error().text, HasSubstr("cannot be read"));
}

}  // namespace
}  // namespace fairlead::volume
