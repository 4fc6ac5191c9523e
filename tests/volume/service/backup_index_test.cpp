// The text of a backup's index, and the lists of its packs.
#include "volume/service/backup_index.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/json/json.h"
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
  if (parsed.chunks != parsed.entry.chunks.size()) return fail(Code::kInvalid, "chunks");
  return std::move(parsed.entry);
}

TEST(BackupIndexTest, AnEntryIsReadAsItWasWritten) {
  const auto file = some_file();
  EXPECT_EQ(parse(to_lines(file)).value(), file);
  BackupEntry link;
  link.entry = {.path = "\xff\n%", .kind = EntryKind::kSymlink, .target = "../\x01"};
  EXPECT_EQ(parse(to_lines(link)).value(), link);
}

TEST(BackupIndexTest, LinesAreTheReviewedBytes) {
  auto file = some_file();
  EXPECT_EQ(to_lines(file),
            R"({"c":[1767225600,7],"d":2,"g":2,"i":12,"k":"file","m":2541,"p":"a/b","s":3145729,)"
            R"("t":[-5,999999999],"u":1,"x":{"user.x":"a%00b%25%ff"},"z":1})"
            "\n{\"d\":[[0,1048576,\"" +
                to_hex(sha256("one")) + "\"],[3145728,1,\"" + to_hex(sha256("two")) + "\"]]}\n");
  file.chunks.clear();
  file.has_holes = false;
  file.entry.inode = UINT64_MAX;
  file.entry.size = 0;
  file.entry.xattrs.clear();
  EXPECT_EQ(to_lines(file),
            R"({"c":[1767225600,7],"g":2,"i":0,"k":"file","m":2541,"p":"a/b","s":0,)"
            R"("t":[-5,999999999],"u":1})"
            "\n");
  file.entry.kind = EntryKind::kSymlink;  // what only a file has is not said of it
  file.entry.target = "50%";
  EXPECT_EQ(to_lines(file),
            R"({"g":2,"k":"link","l":"50%25","m":2541,"p":"a/b","t":[-5,999999999],"u":1})"
            "\n");
}

TEST(BackupIndexTest, AFieldOfAnotherTypeIsRefusedByItsName) {
  auto file = some_file();
  file.entry.hard_link = "h";
  file.entry.target = "l";
  const std::string lines = to_lines(file);
  const auto document = json::parse(lines.substr(0, lines.find('\n'))).value();
  EXPECT_EQ(document.size(), 14U);
  for (const auto& [name, member] : document.members()) {
    json::Json wrong = document;
    wrong[name] = json::Json::array({true});
    const auto parsed = parse_entry(json::dump(wrong));
    ASSERT_FALSE(parsed) << name;
    EXPECT_THAT(parsed.error().text, ::testing::StartsWith("field " + name + " must be "));
  }
}

TEST(BackupIndexTest, AnEntryHasNoMoreChunksThanBytes) {
  const std::string line = R"({"g":2,"k":"file","m":1,"p":"a","s":3,"t":[0,0],"u":1,"d":)";
  EXPECT_EQ(parse_entry(line + "3}")->chunks, 3U);
  EXPECT_FALSE(parse_entry(line + "4}"));
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
  EXPECT_EQ(to_text(summary),
            R"({"backend":"dir","bytes":6,"created":5,"entries":0,"format":1,)"
            R"("id":"20260131T120000Z-1","incremental":true,"labels":{"a":"b"},"lines":")" +
                to_hex(summary.lines) + R"(","options":{"uid":"7"},"packs":[")" +
                to_hex(sha256("a")) + R"(",")" + to_hex(sha256("b")) +
                R"("],"started":[1,2],"stored":7,"volume":"shop","volume_id":"3f"})");
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
