// Converts the index of a backup between bytes and values. Pure, and fuzzed, because a backup folder
// may come from anywhere.
//
// Format 2, which is written, is a row of records. Each begins with its length; numbers are of
// variable length (LEB128: 7 bits in a byte, the low ones first, the high bit of all but the last
// set), signed ones as zigzag. An entry is
//   1 byte              its kind (bits 0 to 2), holes (bit 3), rest (bit 4)
//   number              how many bytes of its path are as in the entry before
//   number and bytes    the rest of its path
//   numbers             mode, uid, gid; time of change of the content: seconds (signed), nanoseconds
//   numbers, of files   size, inode; time of change of the inode as above; how many chunks follow
//   bytes, if rest      a JSON object with what few entries have: l, h and x, as below
// and is followed by records with its chunks, at most 4,096 in each: for each the bytes between the
// end of the last one and it, its length, and 32 bytes digest.
//
// Format 1, which is read, is JSON lines. An entry is followed by lines with its chunks (offset, length, SHA-256), at most 4,096 in each:
//   {"k":"file","p":"a/b","m":420,"u":0,"g":0,"t":[1767225600,5],"s":1048577,"i":12,"c":[1767225600,7],"d":2}
//   {"d":[[0,1048576,"9f…"],[1048576,1,"3c…"]]}
//
// Keys: k kind, p path, m mode, u uid, g gid, t time of change of the content, s size, l target of
// a link, h path of the file that a hard link is to, x extended attributes, f flags of chattr(1) as
// in linux/fs.h, i inode, c time of change of the inode, d how many chunks follow, z 1 where the file
// has holes. Bytes that are not plain text are written as %XX.
//
// The summary is one line in a frame of its own, so that listing backups reads no index:
//   {"format":2,"id":"…","volume":"shop","volume_id":"3f…",…,
//    "lines":"<SHA-256 of the records or lines>","packs":["…"]}
// "excluded", if it is there, is what was left out on request (volume/api/excludes.h).
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

inline constexpr std::int64_t kLinesFormat = 1, kRecordsFormat = 2;

// ---- format 2

// Appends the records of an entry and its chunks. `before` is the path of the entry before, or
// empty. False, and nothing is appended, when the entry takes more than kLongestLine, which nobody
// would read: it has very many attributes.
[[nodiscard]] bool append_records(const BackupEntry& entry, std::string_view before,
                                  std::string& to);

// The length of the record that begins here, with the number itself; 0: more bytes are needed for
// that. kInvalid for more than kLongestLine.
struct RecordSize {
  std::size_t head = 0;  // of the number
  std::size_t whole = 0;
};
Result<RecordSize> record_size(std::string_view bytes);
// `entry` is the one before, whose path begins the new one's; its memory is used again. `chunks`:
// how many follow. `record` is without the number before it.
Status parse_record(std::string_view record, BackupEntry& entry, std::uint64_t& chunks);
Status parse_chunk_record(std::string_view record, BackupEntry& entry);

// ---- format 1

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
  std::int64_t format = kRecordsFormat;
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
