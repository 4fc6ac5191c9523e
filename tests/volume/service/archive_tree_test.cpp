// Trees to archives and back, between plain folders.
#include "volume/service/archive_tree.h"

#include <gmock/gmock.h>
#include <sys/resource.h>

#include <random>

#include "base/process.h"
#include "tests/volume/tree_facts.h"

namespace fairlead::volume {
namespace {

using ::testing::ElementsAre;
using testing::facts_of;
using testing::hash_of;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::Scratch;
using testing::write_text;

struct ArchiveTreeTest : ::testing::Test {
  Scratch scratch;
  std::string from = scratch / "from", to = scratch / "to", archive = scratch / "archive";
  WalkNotes notes;  // of unpack()

  void SetUp() override {
    if (!testing::is_root()) GTEST_SKIP() << "owners need root";
    std::filesystem::create_directory(from);
    std::filesystem::create_directory(to);
  }
  Result<ExportedTree> pack(const std::string& file) {
    const auto folder = Folder::open(from);
    const UniqueFd out(::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    return export_tree(folder->fd(), out.get(), 0, {});
  }
  Status unpack(TreeLimits limits = {}) {
    const auto folder = Folder::open(to);
    const UniqueFd in(::open(archive.c_str(), O_RDONLY | O_CLOEXEC));
    TreeWriter writer(folder->fd(), Origin::kForeign, limits);
    auto done = import_tree(in.get(), {}, writer, 0, {});
    notes = writer.notes();
    return done;
  }
  static std::string run(const std::vector<std::string>& argv) {
    const auto result = run_process(argv, std::chrono::seconds(60));
    EXPECT_TRUE(result && result->exit_code == 0) << (result ? result->err : result.error().text);
    return result ? result->out : std::string();
  }
};

TEST_F(ArchiveTreeTest, EverythingComesBackAsItWas) {
  testing::make_rich_tree(from);
  const auto packed = pack(archive);
  ASSERT_TRUE(packed) << packed.error().text;
  EXPECT_TRUE(packed->notes.lines.empty());
  const auto unpacked = unpack();
  ASSERT_TRUE(unpacked) << unpacked.error().text;
  EXPECT_EQ(facts_of(from), facts_of(to));
}

TEST_F(ArchiveTreeTest, WhatIsOddComesBackAsItWas) {
  testing::make_odd_tree(from);
  const auto packed = pack(archive);
  ASSERT_TRUE(packed) << packed.error().text;
  EXPECT_THAT(packed->notes.lines, IsEmpty());
  const auto unpacked = unpack();
  ASSERT_TRUE(unpacked) << unpacked.error().text;
  EXPECT_THAT(notes.lines, IsEmpty());
  EXPECT_EQ(facts_of(from), facts_of(to));
}

// The top is dressed as the volume's options say, and exchanged by a roll-back.
TEST_F(ArchiveTreeTest, TheTopIsNotSealed) {
  write_text(from + "/file", "x");
  ASSERT_TRUE(testing::flag(from, FS_IMMUTABLE_FL | FS_NODUMP_FL));
  const auto packed = pack(archive);
  ASSERT_TRUE(packed && unpack());
  EXPECT_EQ(testing::flags_at(to), std::uint32_t{FS_NODUMP_FL});
  EXPECT_EQ(notes.left_out, 1U);
  EXPECT_THAT(notes.lines, ElementsAre(HasSubstr("immutable")));
}

TEST_F(ArchiveTreeTest, FlagsAreWrittenAsBsdTarReadsThem) {
  testing::make_odd_tree(from);
  ASSERT_TRUE(pack(archive));
  const std::string tar = run({"zstd", "-dcq", archive});
  for (const char* flags : {"SCHILY.fflags=schg\n", "SCHILY.fflags=sappnd\n"})
    EXPECT_NE(tar.find(flags), std::string::npos) << flags;
}

TEST_F(ArchiveTreeTest, AHoleDoesNotCountAgainstTheLimit) {
  write_text(from + "/sparse", "begin");
  std::filesystem::resize_file(from + "/sparse", 20ULL << 30);
  ASSERT_TRUE(pack(archive));
  const auto unpacked = unpack({.bytes = 1 << 20});
  ASSERT_TRUE(unpacked) << unpacked.error().text;
  EXPECT_EQ(std::filesystem::file_size(to + "/sparse"), 20ULL << 30);
}

// libarchive hands out what it has decompressed in parts of 128 KiB: also when the end of the tar
// is at the beginning of the last part, the checksum behind it is compared.
TEST_F(ArchiveTreeTest, AChangedByteIsFoundWhateverTheLength) {
  constexpr std::size_t kPart = 128 << 10, kBlock = 512;
  constexpr std::size_t kFirst = kPart - 32 * kBlock;  // with the headers, parts end from here on
  std::string noise(2 * kPart, '\0');
  std::mt19937 random(7);
  for (char& byte : noise) byte = static_cast<char>(random());
  for (std::size_t more = kFirst; more < kPart; more += kBlock) {
    write_text(from + "/noise", noise.substr(0, kPart + more));
    ASSERT_TRUE(pack(archive));
    std::string bytes = testing::read_text(archive);
    bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 0x10);
    write_text(archive, bytes);
    EXPECT_FALSE(unpack()) << more;
  }
}

TEST_F(ArchiveTreeTest, HolesStayHoles) {
  testing::make_rich_tree(from);
  ASSERT_TRUE(pack(archive));
  EXPECT_LT(std::filesystem::file_size(archive), 3'500'000U);
  ASSERT_TRUE(unpack());
  EXPECT_LE(testing::blocks_of(to + "/holes"), testing::blocks_of(from + "/holes"));
  EXPECT_EQ(testing::blocks_of(to + "/only-hole"), 0U);
}

TEST_F(ArchiveTreeTest, ALargeHoleCostsNothing) {
  write_text(from + "/huge", "begin");
  std::filesystem::resize_file(from + "/huge", 1ULL << 33);
  const auto packed = pack(archive);
  ASSERT_TRUE(packed) << packed.error().text;
  EXPECT_LT(std::filesystem::file_size(archive), 100'000U);
  ASSERT_TRUE(unpack());
  EXPECT_EQ(std::filesystem::file_size(to + "/huge"), 1ULL << 33);
  EXPECT_LT(testing::blocks_of(to + "/huge"), 1U << 20);
}

TEST_F(ArchiveTreeTest, TheSameTreeGivesTheSameBytesAndTheDigestOfThem) {
  testing::make_rich_tree(from);
  const auto once = pack(archive), again = pack(scratch / "again");
  ASSERT_TRUE(once && again);
  EXPECT_EQ(once->report.digest, again->report.digest);
  EXPECT_EQ(run({"sha256sum", archive}).substr(0, 64), once->report.digest);
}

TEST_F(ArchiveTreeTest, OtherTarProgramsReadIt) {
  testing::make_rich_tree(from);
  ASSERT_TRUE(pack(archive));
  run({"tar", "--xattrs", "--xattrs-include=user.*", "-C", to, "-xpf", archive});
  EXPECT_EQ(hash_of(from + "/a/b/large"), hash_of(to + "/a/b/large"));
  EXPECT_EQ(hash_of(from + "/holes"), hash_of(to + "/holes"));
  EXPECT_EQ(testing::read_text(to + "/\xc3\xa9t\xc3\xa9"), "utf-8");
}

class OtherTarTest : public ArchiveTreeTest,
                     public ::testing::WithParamInterface<std::vector<std::string>> {};

TEST_P(OtherTarTest, TheirArchivesAreRead) {
  testing::make_rich_tree(from);
  std::filesystem::remove(from + "/\xff\xfe raw");  // GNU tar writes it as if it were UTF-8
  std::vector<std::string> argv{"tar", "-C", from, "-cf", archive};
  argv.insert(argv.end(), GetParam().begin(), GetParam().end());
  argv.push_back(".");
  run(argv);
  const auto unpacked = unpack();
  ASSERT_TRUE(unpacked) << unpacked.error().text;
  EXPECT_EQ(hash_of(from + "/a/b/large"), hash_of(to + "/a/b/large"));
  EXPECT_EQ(hash_of(from + "/holes"), hash_of(to + "/holes"));
  EXPECT_EQ(testing::read_text(to + "/\xc3\xa9t\xc3\xa9"), "utf-8");
  EXPECT_TRUE(std::filesystem::is_symlink(to + "/absolute"));
}

INSTANTIATE_TEST_SUITE_P(
    Formats, OtherTarTest,
    ::testing::Values(std::vector<std::string>{"--format=gnu", "--sparse"},
                      std::vector<std::string>{"--format=gnu", "--gzip"},
                      std::vector<std::string>{"--format=pax", "--sparse", "--zstd"},
                      std::vector<std::string>{"--format=pax", "--acls", "--xattrs"}));

TEST_F(ArchiveTreeTest, DepthBeyondAnyPathNeedsFewDescriptors) {
  {
    UniqueFd at(::open(from.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    for (int k = 0; k < 500; ++k) {
      ASSERT_EQ(::mkdirat(at.get(), "level-name", 0700), 0);
      at = UniqueFd(::openat(at.get(), "level-name", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
      ::close(::openat(at.get(), "z-file", O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    }
  }
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit few{100, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
  const auto packed = pack(archive);
  const auto unpacked = unpack();
  const auto again = Folder::open(to);
  const UniqueFd out(::open((scratch / "again").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  const auto packed_again = export_tree(again->fd(), out.get(), 0, {});
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  ASSERT_TRUE(packed) << packed.error().text;
  ASSERT_TRUE(unpacked) << unpacked.error().text;
  ASSERT_TRUE(packed_again) << packed_again.error().text;
  EXPECT_EQ(packed->report.files, 500U);
  EXPECT_EQ(packed->report.digest, packed_again->report.digest);
}

TEST_F(ArchiveTreeTest, DepthWithoutAnEndIsLeftOutAndSaid) {
  UniqueFd at(::open(from.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const std::string name(250, 'd');
  for (int k = 0; k < 70; ++k) {
    ASSERT_EQ(::mkdirat(at.get(), name.c_str(), 0700), 0);
    at = UniqueFd(::openat(at.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  }
  write_text(from + "/z", "behind it");
  const auto packed = pack(archive);
  ASSERT_TRUE(packed) << packed.error().text;
  EXPECT_EQ(packed->notes.left_out, 1U);
  EXPECT_THAT(packed->notes.lines, ElementsAre(HasSubstr("longer than 16000 bytes")));
  ASSERT_TRUE(unpack());
  EXPECT_TRUE(testing::deep_folder(to, 16'000 / 251));
  EXPECT_FALSE(testing::deep_folder(to, 16'000 / 251 + 1));
  EXPECT_EQ(testing::read_text(to + "/z"), "behind it");
}

// Folders are listed ahead of the walk.
TEST_F(ArchiveTreeTest, FoldersThatAreExchangedDuringTheWalkAreVisitedAsTheyAre) {
  std::vector<std::string> expected{""};
  for (int k = 10; k < 40; ++k) {
    const std::string folder = fmt::format("a{}", k);
    std::filesystem::create_directories(from + "/" + folder + "/in/side");
    write_text(from + "/" + folder + "/in/x", "x");
    if (k == 11 || k == 30)
      expected.insert(expected.end(), {folder, folder + "/other"});
    else
      expected.insert(expected.end(),
                      {folder, folder + "/in", folder + "/in/side", folder + "/in/x"});
  }
  const auto exchange = [&](const std::string& folder) {
    std::filesystem::create_directory(scratch / "new");
    write_text(scratch / "new/other", "a file");
    std::filesystem::rename(from + "/" + folder, scratch / folder);
    std::filesystem::rename(scratch / "new", from + "/" + folder);
  };
  std::vector<std::string> visited;
  WalkNotes left;
  const auto walked = walk_tree(
      Folder::open(from)->fd(),
      [&](TreeCursor& cursor) -> Status {
        visited.push_back(cursor.seen().path);
        if (visited.back() == "a10/in/x") exchange("a11");
        if (visited.back() == "a29") exchange("a30");
        return {};
      },
      left);
  ASSERT_TRUE(walked) << walked.error().text;
  EXPECT_THAT(visited, ::testing::ElementsAreArray(expected));
  EXPECT_EQ(left.left_out, 0U);
}

TEST_F(ArchiveTreeTest, DevicesSocketsAndMountsAreLeftOutAndSaid) {
  write_text(from + "/kept", "k");
  const bool has_device = ::mknod((from + "/null").c_str(), S_IFCHR | 0600, 259) == 0;
  if (!testing::enter_own_mount_namespace()) GTEST_SKIP() << "no mount namespace of its own";
  std::filesystem::create_directory(from + "/mounted");
  testing::make_socket(from + "/socket");
  ASSERT_EQ(::mount("/etc", (from + "/mounted").c_str(), nullptr, MS_BIND, nullptr), 0);
  const auto packed = pack(archive);
  ASSERT_EQ(::umount2((from + "/mounted").c_str(), 0), 0);
  ASSERT_TRUE(packed) << packed.error().text;
  EXPECT_EQ(packed->notes.left_out, has_device ? 3U : 2U);
  EXPECT_EQ(packed->notes.lines.size(), packed->notes.left_out);
  ASSERT_TRUE(unpack());
  EXPECT_EQ(testing::entries_in(to), 1U);
}

TEST_F(ArchiveTreeTest, AFullDiskIsSaidAndAStopIsHeard) {
  write_text(from + "/large", testing::noise(2 << 20, 3));
  const auto folder = Folder::open(from);
  const UniqueFd full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
  const auto packed = export_tree(folder->fd(), full.get(), 0, {});
  ASSERT_FALSE(packed);
  EXPECT_EQ(packed.error().code, Code::kExhausted) << packed.error().text;
  const UniqueFd out(::open("/dev/null", O_WRONLY | O_CLOEXEC));
  const auto stopped =
      export_tree(folder->fd(), out.get(), 0, [](std::uint64_t, std::uint64_t) { return false; });
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().code, Code::kUnavailable);
}

TEST_F(ArchiveTreeTest, ACutArchiveIsRefused) {
  testing::make_rich_tree(from);
  ASSERT_TRUE(pack(archive));
  std::filesystem::resize_file(archive, std::filesystem::file_size(archive) / 2);
  const auto unpacked = unpack();
  ASSERT_FALSE(unpacked);
  EXPECT_EQ(unpacked.error().code, Code::kInvalid) << unpacked.error().text;
}

}  // namespace
}  // namespace fairlead::volume
