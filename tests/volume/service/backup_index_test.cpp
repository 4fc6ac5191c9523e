// The text of a backup's index, and the lists of its packs.
#include "volume/service/backup_index.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/json/json.h"
#include "volume/service/pack_format.h"

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

// ---- records

// The entries of a row of records.
Result<std::vector<BackupEntry>> parse_all(std::string_view text) {
  std::vector<BackupEntry> entries;
  BackupEntry entry;
  std::uint64_t chunks = 0;
  while (!text.empty()) {
    TRY(const auto size, record_size(text));
    if (size.head == 0 || size.whole > text.size()) return fail(Code::kInvalid, "cut off");
    const std::string_view record = text.substr(size.head, size.whole - size.head);
    text.remove_prefix(size.whole);
    if (entry.chunks.size() < chunks) {
      TRY_STATUS(parse_chunk_record(record, entry));
      entries.back() = entry;
      continue;
    }
    TRY_STATUS(parse_record(record, entry, chunks));
    entries.push_back(entry);
  }
  if (entry.chunks.size() != chunks) return fail(Code::kInvalid, "chunks");
  return entries;
}

std::string to_records(const std::vector<BackupEntry>& entries) {
  std::string text, before;
  for (const BackupEntry& entry : entries) {
    EXPECT_TRUE(append_records(entry, before, text));
    before = entry.entry.path;
  }
  return text;
}

std::vector<BackupEntry> some_entries() {
  BackupEntry top, link, other, large = some_file();
  top.entry = {.path = "", .kind = EntryKind::kFolder, .mode = 0755};
  link.entry = {.path = "a/\xff\n%", .kind = EntryKind::kSymlink, .target = "../\x01"};
  other.entry = {.path = "z", .kind = EntryKind::kFile, .size = 5, .hard_link = "a/b"};
  other.entry.mtime = {.seconds = INT64_MIN, .nanos = 0};
  other.entry.uid = UINT32_MAX - 1;
  other.entry.inode = UINT64_MAX;
  large.entry.path = "y";
  large.entry.size = 10'000ULL * kChunkSize;
  large.chunks.clear();
  for (std::uint64_t k = 0; k < 10'000; ++k)
    large.chunks.push_back({.offset = k * kChunkSize, .length = 5, .digest = sha256("x")});
  return {top, some_file(), link, large, other};
}

TEST(BackupRecordTest, EntriesAreReadAsTheyWereWritten) {
  const auto entries = some_entries();
  const auto parsed = parse_all(to_records(entries));
  ASSERT_TRUE(parsed) << parsed.error().text;
  EXPECT_EQ(*parsed, entries);
}

// A folder 10,000 deep would take 25 GB with the whole path in each entry.
TEST(BackupRecordTest, WhatAPathHasInCommonWithTheOneBeforeIsNotWrittenAgain) {
  std::vector<BackupEntry> entries(200);
  std::string path;
  for (BackupEntry& entry : entries) {
    path += (path.empty() ? "" : "/") + std::string(250, 'n');
    entry.entry = {.path = path, .kind = EntryKind::kFolder};
  }
  const std::string text = to_records(entries);
  EXPECT_LT(text.size(), 200 * 300U);
  EXPECT_EQ(parse_all(text).value(), entries);
}

TEST(BackupRecordTest, WhatNobodyWouldReadIsNotWritten) {
  BackupEntry entry{.entry = {.path = "a"}, .has_holes = false, .chunks = {}};
  std::string text;
  ASSERT_TRUE(append_records(entry, {}, text));
  const std::string before = text;
  entry.entry.path = std::string(kLongestLine, 'p');
  EXPECT_FALSE(append_records(entry, "a", text));
  EXPECT_EQ(text, before);
}

TEST(BackupRecordTest, RecordsAreTheReviewedBytes) {
  auto file = some_file();
  file.entry.xattrs.clear();
  file.chunks.resize(1);
  const std::string text = to_records({file});
  const std::string digest(reinterpret_cast<const char*>(file.chunks[0].digest.data()), 32);
  const std::string head(
      "\x1e\x08\x00\x03"
      "a/b"
      "\xed\x13\x01\x02"
      "\x09\xff\x93\xeb\xdc\x03"
      "\x81\x80\xc0\x01\x0c"
      "\x80\xe4\xad\x95\x0d\x07\x01",
      29);
  EXPECT_EQ(text.substr(1, text.size() - 1 - 37), head.substr(1));
  EXPECT_EQ(text.substr(text.size() - 36), std::string("\x00\x80\x80\x40", 4) + digest);
}

TEST(BackupRecordTest, WhatIsCutOffOrTooLargeIsRefused) {
  const std::string text = to_records({some_file()});
  for (std::size_t size = 1; size < text.size(); ++size)
    EXPECT_FALSE(parse_all(text.substr(0, size))) << size;
  EXPECT_FALSE(record_size("\xff\xff\xff\xff\x01"));
  EXPECT_EQ(record_size("\xff\xff").value().head, 0U);
  const auto refused = [](BackupEntry entry) {
    std::string record = to_records({std::move(entry)});
    return !parse_all(record);
  };
  auto file = some_file();
  file.entry.mode = 010000;
  EXPECT_TRUE(refused(file));
  file = some_file();
  file.entry.mtime.nanos = 1'000'000'000;
  EXPECT_TRUE(refused(file));
  file = some_file();
  file.chunks[1].length = kChunkSize + 1;
  EXPECT_TRUE(refused(file));
  file = some_file();
  file.entry.size = kChunkSize;  // a chunk lies behind the end
  EXPECT_TRUE(refused(file));
  file = some_file();
  file.entry.size = 1;  // more chunks than bytes
  EXPECT_TRUE(refused(file));
  BackupEntry entry;
  std::uint64_t chunks = 0;
  EXPECT_FALSE(
      parse_record(std::string_view("\x00\x01\x00", 3), entry, chunks));  // no path to share
  EXPECT_FALSE(parse_chunk_record("", entry));
}

// ---- lines

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
            R"({"backend":"dir","bytes":6,"created":5,"entries":0,"format":2,)"
            R"("id":"20260131T120000Z-1","incremental":true,"labels":{"a":"b"},"lines":")" +
                to_hex(summary.lines) + R"(","options":{"uid":"7"},"packs":[")" +
                to_hex(sha256("a")) + R"(",")" + to_hex(sha256("b")) +
                R"("],"started":[1,2],"stored":7,"volume":"shop","volume_id":"3f"})");
}

TEST(BackupIndexTest, ANewerFormatIsSaid) {
  const auto parsed = parse_summary("{\"format\":3}");
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
