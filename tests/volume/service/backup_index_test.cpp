// The text of a backup's index, and the lists of its packs.
#include "volume/service/backup_index.h"

#include <gtest/gtest.h>

#include "volume/service/chunk_store.h"

namespace fairlead::volume {
namespace {

BackupEntry some_file() {
  BackupEntry file;
  file.entry = {.path = "a/b", .kind = EntryKind::kFile, .mode = 04755, .uid = 1, .gid = 2};
  file.entry.mtime = {.seconds = -5, .nanos = 999'999'999};
  file.entry.ctime = {.seconds = 1'767'225'600, .nanos = 7};
  file.entry.size = 3 * kChunkSize + 1;
  file.entry.inode = 12;
  file.entry.xattrs["user.x"] = std::string("a\0b%\xff", 5);
  file.has_holes = true;
  file.chunks = {{.offset = 0, .length = kChunkSize, .digest = sha256("one")},
                 {.offset = 3 * kChunkSize, .length = 1, .digest = sha256("two")}};
  return file;
}

Result<BackupEntry> parse(const std::string& lines) {
  const std::size_t end = lines.find('\n');
  TRY(auto parsed, parse_entry(lines.substr(0, end)));
  for (std::size_t at = end + 1; at < lines.size();) {
    const std::size_t next = lines.find('\n', at);
    TRY_STATUS(parse_chunks(lines.substr(at, next - at), parsed.entry));
    at = next + 1;
  }
  if (parsed.chunks != parsed.entry.chunks.size()) return fail(Code::kInvalid, "pieces");
  return std::move(parsed.entry);
}

TEST(BackupIndexTest, AnEntryIsReadAsItWasWritten) {
  const auto file = some_file();
  EXPECT_EQ(parse(to_lines(file)).value(), file);
  BackupEntry link;
  link.entry = {.path = "\xff\n%", .kind = EntryKind::kSymlink, .target = "../\x01"};
  EXPECT_EQ(parse(to_lines(link)).value(), link);
}

TEST(BackupIndexTest, ManyChunksStandOnSeveralLines) {
  auto file = some_file();
  file.chunks.clear();
  file.entry.size = 10'000ULL * kChunkSize;
  for (std::uint64_t k = 0; k < 10'000; ++k)
    file.chunks.push_back({.offset = k * kChunkSize, .length = 5, .digest = sha256("x")});
  EXPECT_EQ(parse(to_lines(file)).value(), file);
}

TEST(BackupIndexTest, AnyBytesAreKept) {
  std::string bytes;
  for (int k = 0; k < 256; ++k) bytes += static_cast<char>(k);
  for (const std::string& text : {bytes, std::string("caf\xc3\xa9"), std::string("100%")})
    EXPECT_EQ(decode_bytes(encode_bytes(text)).value(), text);
  EXPECT_EQ(encode_bytes("caf\xc3\xa9"), "caf\xc3\xa9");
  for (const char* text : {"%", "%4", "%zz", "a%"}) EXPECT_FALSE(decode_bytes(text)) << text;
}

TEST(BackupIndexTest, ChunksOutsideOfTheirFileAreRefused) {
  const std::string digest(64, 'a');
  for (const std::string& list :
       {"[[0,0,\"" + digest + "\"]]", "[[0,2000000,\"" + digest + "\"]]",
        "[[9,2,\"" + digest + "\"]]", "[[18446744073709551615,1,\"" + digest + "\"]]",
        "[[5,2,\"" + digest + "\"],[6,1,\"" + digest + "\"]]", std::string("[[0,1,\"short\"]]"),
        std::string("[]"), std::string("7")}) {
    BackupEntry file;
    file.entry.size = 10;
    EXPECT_FALSE(parse_chunks("{\"d\":" + list + "}", file)) << list;
  }
}

TEST(BackupIndexTest, ASummaryIsReadAsItWasWritten) {
  BackupSummary summary;
  summary.info = {.id = "20260131T120000Z-1",
                  .volume = "shop",
                  .created = 5,
                  .bytes = 6,
                  .stored = 7,
                  .incremental = true};
  summary.volume_id = "3f";
  summary.backend = "dir";
  summary.options = {{"uid", "7"}};
  summary.labels = {{"a", "b"}};
  summary.started = {.seconds = 1, .nanos = 2};
  summary.lines = sha256("lines");
  summary.packs = {sha256("a"), sha256("b")};
  const auto parsed = parse_summary(to_text(summary));
  ASSERT_TRUE(parsed) << parsed.error().text;
  EXPECT_EQ(to_text(*parsed), to_text(summary));
  EXPECT_EQ(parsed->packs, summary.packs);
}

TEST(BackupIndexTest, ANewerFormatIsSaid) {
  const auto parsed = parse_summary("{\"format\":2}");
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().code, Code::kUnsupported);
}

TEST(BackupIndexTest, PathsCompareAsAWalkMeetsThem) {
  EXPECT_LT(compare_paths("", "a"), 0);
  EXPECT_LT(compare_paths("a", "a/b"), 0);
  EXPECT_LT(compare_paths("a/b", "a-b"), 0);
  EXPECT_LT(compare_paths("a-b", "a\xff"), 0);
  EXPECT_EQ(compare_paths("a/b", "a/b"), 0);
  EXPECT_GT(compare_paths("b", "a/z"), 0);
}

}  // namespace
}  // namespace fairlead::volume
