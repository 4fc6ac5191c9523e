#include "volume/service/backup_index.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/json/fields.h"
#include "base/json/format.h"
#include "base/text.h"

namespace fairlead::volume {

using json::custom;
using json::defaulted;
using json::fields;
using json::Json;
using json::Range;
using json::required;
using json::Slot;
using json::sparse;

namespace {

// ---- forms

Result<std::string> read_bytes(const Slot& slot) {
  if (!slot.value().is_string()) return slot.wrong("a string");
  auto bytes = decode_bytes(slot.value().string());
  if (!bytes) return fail(slot.located(std::move(bytes.error())));
  return bytes;
}
Json write_bytes(const std::string& bytes) { return encode_bytes(bytes); }

using Xattrs = std::map<std::string, std::string>;
Result<Xattrs> read_xattrs(const Slot& slot) {
  TRY(const auto texts, json::texts_by_name(slot));
  Xattrs xattrs;
  for (const auto& [name, value] : texts) {
    auto plain_name = decode_bytes(name), plain_value = decode_bytes(value);
    if (!plain_name) return fail(slot.located(std::move(plain_name.error())));
    if (!plain_value) return fail(slot.located(std::move(plain_value.error())));
    xattrs.emplace(std::move(*plain_name), std::move(*plain_value));
  }
  return xattrs;
}
Json write_xattrs(const Xattrs& xattrs) {
  Json object = Json::object();
  for (const auto& [name, value] : xattrs) object[encode_bytes(name)] = encode_bytes(value);
  return object;
}

Result<FileTime> read_time(const Slot& slot) {
  const Json& value = slot.value();
  if (!value.is_array() || value.size() != 2 || !value[0].is_number_integer() ||
      !value[1].is_number_unsigned() || value[1].unsigned_integer() > 999'999'999)
    return fail(Code::kInvalid, "field {} must be a time", slot.path());
  return FileTime{.seconds = value[0].integer(), .nanos = value[1].get<std::uint32_t>()};
}
Json write_time(const FileTime& time) { return Json::array({time.seconds, time.nanos}); }

Result<Digest> parse_digest(const Json& value) {
  Digest digest{};
  if (!value.is_string() || !parse_hex(value.string(), digest))
    return fail(Code::kInvalid, "a digest must be 64 hex digits");
  return digest;
}
Result<Digest> read_digest(const Slot& slot) {
  auto digest = parse_digest(slot.value());
  if (!digest) return fail(slot.located(std::move(digest.error())));
  return digest;
}
Json write_digest(const Digest& digest) { return to_hex(digest); }

constexpr auto kBytes = custom<&read_bytes, &write_bytes>();
constexpr auto kXattrs = custom<&read_xattrs, &write_xattrs>();
constexpr auto kTime = custom<&read_time, &write_time>();
constexpr auto kDigest = custom<&read_digest, &write_digest>();
constexpr auto kKind = json::one_of<EntryKind::kFile, EntryKind::kFolder, EntryKind::kSymlink,
                                    EntryKind::kFifo, EntryKind::kSocket, EntryKind::kWhiteout>();
constexpr Range kOwner{0, UINT32_MAX - 1};

// ---- the fields of a line

constexpr auto kEntry =
    fields(required<&TreeEntry::kind>("k", kKind), defaulted<&TreeEntry::path>("p", kBytes),
           required<&TreeEntry::mode>("m", Range{0, 07777}), required<&TreeEntry::uid>("u", kOwner),
           required<&TreeEntry::gid>("g", kOwner), required<&TreeEntry::mtime>("t", kTime),
           sparse<&TreeEntry::target>("l", kBytes), sparse<&TreeEntry::hard_link>("h", kBytes),
           sparse<&TreeEntry::xattrs>("x", kXattrs), sparse<&TreeEntry::flags>("f"));

// What few entries have, in a record.
constexpr auto kRest =
    fields(sparse<&TreeEntry::target>("l", kBytes), sparse<&TreeEntry::hard_link>("h", kBytes),
           sparse<&TreeEntry::xattrs>("x", kXattrs), sparse<&TreeEntry::flags>("f"));

// Only written of files.
struct Content {
  std::uint64_t size = 0, inode = 0;
  FileTime ctime;
};
constexpr auto kContent = fields(defaulted<&Content::size>("s"), defaulted<&Content::inode>("i"),
                                 defaulted<&Content::ctime>("c", kTime));

struct ChunkCount {
  unsigned has_holes = 0;
  std::uint64_t chunks = 0;
};
constexpr auto kChunkCount =
    fields(sparse<&ChunkCount::has_holes>("z", Range{0, 1}), sparse<&ChunkCount::chunks>("d"));

Result<Chunk> parse_chunk(const Json& value) {
  if (!value.is_array() || value.size() != 3 || !value[0].is_number_unsigned() ||
      !value[1].is_number_unsigned())
    return fail(Code::kInvalid, "a chunk must be offset, length and digest");
  const auto length = value[1].get<std::uint64_t>();
  if (length == 0 || length > kChunkSize)
    return fail(Code::kInvalid, "a chunk has 1 to {} bytes", kChunkSize);
  Chunk chunk{.offset = value[0].get<std::uint64_t>(),
              .length = static_cast<std::uint32_t>(length)};
  TRY(chunk.digest, parse_digest(value[2]));
  return chunk;
}

std::uint64_t end_of_chunks(const BackupEntry& entry) {
  return entry.chunks.empty() ? 0 : entry.chunks.back().offset + entry.chunks.back().length;
}

Status add_chunk(const Chunk& chunk, BackupEntry& entry) {
  if (chunk.offset < end_of_chunks(entry) || chunk.offset > entry.entry.size ||
      chunk.length > entry.entry.size - chunk.offset)
    return fail(Code::kInvalid, "a chunk of \"{}\" lies outside of its place",
                shown(entry.entry.path));
  entry.chunks.push_back(chunk);
  return {};
}

Status check_chunk_count(std::uint64_t chunks, std::uint64_t size) {
  if (chunks <= size) return {};
  return fail(Code::kInvalid, "field d must be 0 to {}, not {}: each chunk has a byte at least",
              size, chunks);
}

Json head_of(const BackupEntry& entry) {
  const TreeEntry& file = entry.entry;
  Json line = json::write(file, kEntry);
  if (file.kind == EntryKind::kFile) {
    // Inode numbers beyond a signed integer do not occur; such a file would be read each time.
    const std::uint64_t inode = file.inode <= INT64_MAX ? file.inode : 0;
    json::append(line, json::write(Content{file.size, inode, file.ctime}, kContent));
  }
  json::append(line, json::write(ChunkCount{entry.has_holes, entry.chunks.size()}, kChunkCount));
  return line;
}

// ---- the fields of the summary

constexpr auto kLeftOut =
    fields(required<&LeftOut::count>("count"), defaulted<&LeftOut::notes>("notes", kBytes));

constexpr auto kSummary = fields(
    required<&BackupSummary::format>("format", Range{kLinesFormat, kRecordsFormat}),
    required<&BackupSummary::info, &BackupInfo::id>("id"),
    required<&BackupSummary::info, &BackupInfo::volume>("volume"),
    required<&BackupSummary::volume_id>("volume_id"), required<&BackupSummary::backend>("backend"),
    defaulted<&BackupSummary::options>("options"), defaulted<&BackupSummary::labels>("labels"),
    required<&BackupSummary::info, &BackupInfo::created>("created"),
    required<&BackupSummary::started>("started", kTime),
    required<&BackupSummary::info, &BackupInfo::bytes>("bytes"),
    required<&BackupSummary::info, &BackupInfo::stored>("stored"),
    defaulted<&BackupSummary::info, &BackupInfo::incremental>("incremental"),
    sparse<&BackupSummary::info, &BackupInfo::left_out>("left_out", json::object(kLeftOut)),
    sparse<&BackupSummary::info, &BackupInfo::group>("group"),
    sparse<&BackupSummary::info, &BackupInfo::excluded>("excluded"),
    required<&BackupSummary::entries>("entries"), required<&BackupSummary::lines>("lines", kDigest),
    defaulted<&BackupSummary::packs>("packs", kDigest));

}  // namespace

std::string_view to_string(EntryKind kind) {
  switch (kind) {
    case EntryKind::kFolder:
      return "folder";
    case EntryKind::kSymlink:
      return "link";
    case EntryKind::kFifo:
      return "fifo";
    case EntryKind::kSocket:
      return "socket";
    case EntryKind::kWhiteout:
      return "whiteout";
    case EntryKind::kFile:
    case EntryKind::kDevice:
      break;
  }
  return "file";
}

std::string encode_bytes(const std::string& bytes) {
  if (bytes.find('%') == std::string::npos && is_plain_text(bytes)) return bytes;
  std::string text;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte >= 0x7f || c == '%')
      text += fmt::format("%{:02x}", byte);
    else
      text += c;
  }
  return text;
}

Result<std::string> decode_bytes(const std::string& text) {
  const auto value = [](char c) {
    if (c >= '0' && c <= '9') return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
  };
  std::string bytes;
  for (std::size_t k = 0; k < text.size(); ++k) {
    if (text[k] != '%') {
      bytes += text[k];
      continue;
    }
    const int high = k + 2 < text.size() ? value(text[k + 1]) : -1;
    const int low = k + 2 < text.size() ? value(text[k + 2]) : -1;
    if (high < 0 || low < 0) return fail(Code::kInvalid, "a '%' without two hex digits after it");
    bytes += static_cast<char>(high * 16 + low);
    k += 2;
  }
  return bytes;
}

std::string to_lines(const BackupEntry& entry) {
  std::string text = json::dump(head_of(entry)) + "\n";
  for (std::size_t from = 0; from < entry.chunks.size(); from += kMostChunksInALine) {
    Json line{{"d", Json::array()}};
    const std::size_t end = std::min(from + kMostChunksInALine, entry.chunks.size());
    for (std::size_t k = from; k < end; ++k)
      line["d"].push_back(Json::array(
          {entry.chunks[k].offset, entry.chunks[k].length, to_hex(entry.chunks[k].digest)}));
    text += json::dump(line) + "\n";
  }
  return text;
}

Result<ParsedLine> parse_entry(std::string_view line) {
  TRY(const auto document, json::parse(line));
  ParsedLine parsed;
  TreeEntry& entry = parsed.entry.entry;
  TRY(entry, json::read(document, kEntry));
  TRY(const auto content, json::read(document, kContent));
  entry.size = content.size;
  entry.inode = content.inode;
  entry.ctime = content.ctime;
  TRY(const auto chunk_count, json::read(document, kChunkCount));
  parsed.entry.has_holes = chunk_count.has_holes == 1;
  TRY_STATUS(check_chunk_count(chunk_count.chunks, entry.size));
  parsed.chunks = chunk_count.chunks;
  return parsed;
}

Status parse_chunks(std::string_view line, BackupEntry& entry) {
  TRY(const auto document, json::parse(line));
  TRY(const auto object, json::Object::of(document));
  const Json* const list = object.find("d");
  if (list == nullptr || !list->is_array() || list->empty() || list->size() > kMostChunksInALine)
    return fail(Code::kInvalid, "a line of chunk_count is malformed");
  for (const Json& value : *list) {
    TRY(const auto chunk, parse_chunk(value));
    TRY_STATUS(add_chunk(chunk, entry));
  }
  return {};
}

// ---- format 2

namespace {

constexpr unsigned char kKindBits = 7, kHasHoles = 8, kHasRest = 16;

void append_number(std::string& to, std::uint64_t number) {
  for (; number >= 0x80; number >>= 7) to += static_cast<char>(number | 0x80);
  to += static_cast<char>(number);
}

void append_signed(std::string& to, std::int64_t number) {
  append_number(
      to, (static_cast<std::uint64_t>(number) << 1) ^ static_cast<std::uint64_t>(number >> 63));
}

void append_time(std::string& to, const FileTime& time) {
  append_signed(to, time.seconds);
  append_number(to, time.nanos);
}

// Takes values from the front of a record. After a failure everything that is taken is 0.
class Taker {
 public:
  explicit Taker(std::string_view rest) : rest_(rest) {}

  std::uint64_t number() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && !rest_.empty(); shift += 7) {
      const auto byte = static_cast<unsigned char>(rest_.front());
      rest_.remove_prefix(1);
      value |= std::uint64_t{byte & 0x7fU} << shift;
      if (byte < 0x80) return value;
    }
    return broken();
  }
  std::uint64_t at_most(std::uint64_t most) {
    const std::uint64_t value = number();
    return value <= most ? value : broken();
  }
  std::int64_t signed_number() {
    const std::uint64_t value = number();
    return static_cast<std::int64_t>(value >> 1) ^ -static_cast<std::int64_t>(value & 1);
  }
  FileTime time() {
    FileTime time{.seconds = signed_number()};
    time.nanos = static_cast<std::uint32_t>(at_most(999'999'999));
    return time;
  }
  std::string_view bytes(std::uint64_t count) {
    if (count > rest_.size()) count = broken();
    const std::string_view taken = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return taken;
  }
  std::string_view rest() { return std::exchange(rest_, {}); }
  bool is_empty() const { return rest_.empty(); }
  bool is_broken() const { return is_broken_; }

 private:
  std::uint64_t broken() {
    is_broken_ = true;
    rest_ = {};
    return 0;
  }
  std::string_view rest_;
  bool is_broken_ = false;
};

tl::unexpected<Error> malformed() { return fail(Code::kInvalid, "a record is malformed"); }

constexpr std::array kKinds{EntryKind::kFile, EntryKind::kFolder,   EntryKind::kSymlink,
                            EntryKind::kFifo, EntryKind::kWhiteout, EntryKind::kSocket};

unsigned char number_of(EntryKind kind) {
  return static_cast<unsigned char>(std::ranges::find(kKinds, kind) - kKinds.begin());
}

// True for members of kRest that are set.
bool has_rest(const TreeEntry& entry) {
  return !entry.target.empty() || !entry.hard_link.empty() || !entry.xattrs.empty() ||
         entry.flags != 0;
}

// Into memory that is used again: there may be millions of them.
void to_record(const BackupEntry& entry, std::string_view before, std::string& record) {
  record.clear();
  const TreeEntry& file = entry.entry;
  const std::size_t same = common_prefix(file.path, before);
  const bool rest = has_rest(file);
  record += static_cast<char>(number_of(file.kind) | (entry.has_holes ? kHasHoles : 0) |
                              (rest ? kHasRest : 0));
  append_number(record, same);
  append_number(record, file.path.size() - same);
  record.append(file.path, same);
  append_number(record, file.mode);
  append_number(record, file.uid);
  append_number(record, file.gid);
  append_time(record, file.mtime);
  if (file.kind == EntryKind::kFile) {
    append_number(record, file.size);
    append_number(record, file.inode);
    append_time(record, file.ctime);
    append_number(record, entry.chunks.size());
  }
  if (rest) record += json::dump(json::write(file, kRest));
}

std::string to_chunk_record(const BackupEntry& entry, std::size_t from, std::size_t end) {
  std::string record;
  std::uint64_t at = from == 0 ? 0 : entry.chunks[from - 1].offset + entry.chunks[from - 1].length;
  for (std::size_t k = from; k < end; ++k) {
    const Chunk& chunk = entry.chunks[k];
    append_number(record, chunk.offset - at);
    append_number(record, chunk.length);
    record.append(reinterpret_cast<const char*>(chunk.digest.data()), chunk.digest.size());
    at = chunk.offset + chunk.length;
  }
  return record;
}

void append_record(std::string& to, std::string_view record) {
  append_number(to, record.size());
  to += record;
}

}  // namespace

bool append_records(const BackupEntry& entry, std::string_view before, std::string& to) {
  thread_local std::string record;
  to_record(entry, before, record);
  if (record.size() > kLongestLine) return false;
  append_record(to, record);
  for (std::size_t from = 0; from < entry.chunks.size(); from += kMostChunksInALine)
    append_record(
        to, to_chunk_record(entry, from, std::min(from + kMostChunksInALine, entry.chunks.size())));
  return true;
}

Result<RecordSize> record_size(std::string_view bytes) {
  constexpr std::size_t kLongestNumber = 4;  // 28 bits
  const std::string_view head = bytes.substr(0, kLongestNumber);
  const auto last =
      std::ranges::find_if(head, [](char byte) { return static_cast<unsigned char>(byte) < 0x80; });
  if (last == head.end())
    return head.size() < kLongestNumber ? Result<RecordSize>(RecordSize{}) : malformed();
  const auto length = static_cast<std::size_t>(last - head.begin()) + 1;
  const std::uint64_t size = Taker(head.substr(0, length)).number();
  if (size > kLongestLine) return fail(Code::kInvalid, "a record is too long");
  return RecordSize{.head = length, .whole = length + static_cast<std::size_t>(size)};
}

Status parse_record(std::string_view record, BackupEntry& entry, std::uint64_t& chunks) {
  Taker taker(record);
  const std::string_view first = taker.bytes(1);
  const unsigned char flags = first.empty() ? 0xff : static_cast<unsigned char>(first.front());
  const std::uint64_t same = taker.at_most(entry.entry.path.size());
  const std::string_view path = taker.bytes(taker.number());
  if (taker.is_broken() || path.size() > kLongestLine - same ||
      (flags & kKindBits) >= kKinds.size() || (flags & ~(kKindBits | kHasHoles | kHasRest)) != 0)
    return malformed();
  TreeEntry& file = entry.entry;
  file.path.resize(same);
  file.path += path;
  entry.chunks.clear();
  file.target.clear();
  file.hard_link.clear();
  file.xattrs.clear();
  file.flags = 0;
  file.kind = kKinds[flags & kKindBits];
  entry.has_holes = (flags & kHasHoles) != 0;
  file.mode = static_cast<mode_t>(taker.at_most(07777));
  file.uid = static_cast<uid_t>(taker.at_most(UINT32_MAX - 1));
  file.gid = static_cast<gid_t>(taker.at_most(UINT32_MAX - 1));
  file.mtime = taker.time();
  const bool is_file = file.kind == EntryKind::kFile;
  file.size = is_file ? taker.at_most(INT64_MAX) : 0;
  file.inode = is_file ? taker.number() : 0;
  file.ctime = is_file ? taker.time() : FileTime();
  chunks = is_file ? taker.number() : 0;
  if ((flags & kHasRest) != 0 && !taker.is_broken()) {
    TRY(const auto rest, json::parse(taker.rest()));
    TRY_STATUS(json::read_into(json::Slot(rest, {}), kRest, file));
  }
  if (taker.is_broken() || !taker.is_empty()) return malformed();
  return check_chunk_count(chunks, file.size);
}

Status parse_chunk_record(std::string_view record, BackupEntry& entry) {
  Taker taker(record);
  if (taker.is_empty()) return malformed();
  for (std::size_t count = 0; !taker.is_empty(); ++count) {
    const std::uint64_t gap = taker.number(), from = end_of_chunks(entry);
    Chunk chunk{.offset = from + gap,
                .length = static_cast<std::uint32_t>(taker.at_most(kChunkSize))};
    const std::string_view digest = taker.bytes(chunk.digest.size());
    if (taker.is_broken() || chunk.length == 0 || chunk.offset < from ||
        count == kMostChunksInALine)
      return malformed();
    std::ranges::copy(digest, chunk.digest.begin());
    TRY_STATUS(add_chunk(chunk, entry));
  }
  return {};
}

std::string to_text(const BackupSummary& summary) {
  return json::dump(json::write(summary, kSummary));
}

Result<BackupSummary> parse_summary(std::string_view text) {
  TRY(const auto document, json::parse(text));
  TRY_STATUS(status_of(json::read_format(document, "the backup", kRecordsFormat)));
  return json::read(document, kSummary);
}

}  // namespace fairlead::volume
