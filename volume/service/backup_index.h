// Converts the index of a backup between JSON lines and values. Pure, and fuzzed, because a backup
// folder may come from anywhere.
//
// An entry is followed by lines with its chunks (offset, length, SHA-256), at most 4,096 in each:
//   {"k":"file","p":"a/b","m":420,"u":0,"g":0,"t":[1767225600,5],"s":1048577,"i":12,"c":[1767225600,7],"d":2}
//   {"d":[[0,1048576,"9f…"],[1048576,1,"3c…"]]}
//
// Keys: k kind, p path, m mode, u uid, g gid, t time of change of the content, s size, l target of
// a link, h path of the file that a hard link is to, x extended attributes, i inode, c time of
// change of the inode, d how many chunks follow, z 1 where the file has holes. Bytes that are not
// plain text are written as %XX.
//
// The summary is one line in a frame of its own, so that listing backups reads no index:
//   {"format":1,"id":"…","volume":"shop","volume_id":"3f…",…,
//    "lines":"<SHA-256 of the lines>","packs":["…"]}
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "volume/api/service.h"
#include "volume/kernel/sha256.h"
#include "volume/kernel/tree_entry.h"

namespace fairlead::volume {

// of content; the last chunk of a file may be smaller
inline constexpr std::size_t kChunkSize = 1 << 20;
inline constexpr std::size_t kLongestLine = 16U << 20;  // of an index
inline constexpr std::size_t kMostChunksInALine = 4096;

std::string_view to_string(EntryKind kind);  // as a line says it

struct Chunk {
  std::uint64_t offset = 0;
  std::uint32_t length = 0;  // 1 to kChunkSize
  Digest digest{};
  bool operator==(const Chunk&) const = default;
};

struct BackupEntry {
  TreeEntry entry;
  bool has_holes = false;
  std::vector<Chunk> chunks;  // ascending, not overlapping, within the size
  bool operator==(const BackupEntry&) const = default;
};

// The line of an entry with the number of its chunks, then the lines of its chunks; each ends with
// '\n'.
std::string to_lines(const BackupEntry& entry);

struct ParsedLine {
  BackupEntry entry;         // the chunks are on the next lines
  std::uint64_t chunks = 0;  // how many
};
Result<ParsedLine> parse_entry(std::string_view line);
// Appends the chunks to `entry`. kInvalid when they overlap or lie outside of the file.
Status parse_chunks(std::string_view line, BackupEntry& entry);

struct BackupSummary {
  BackupInfo info;
  std::string volume_id, backend;
  std::map<std::string, std::string> options, labels;  // of the volume
  FileTime started;  // a time before anything was read; files changed later may have changed again
  std::uint64_t entries = 0;
  Digest lines{};
  std::vector<Digest> packs;  // the packs that the backup needs, sorted
};

std::string to_text(const BackupSummary& summary);
Result<BackupSummary> parse_summary(std::string_view text);

// Encodes any bytes as plain text without control characters or broken UTF-8, with '%' escapes, and
// decodes it.
std::string encode_bytes(const std::string& bytes);
Result<std::string> decode_bytes(const std::string& text);

}  // namespace fairlead::volume
