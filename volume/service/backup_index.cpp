#include "volume/service/backup_index.h"

#include <algorithm>

#include "base/json/fields.h"
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

constexpr std::int64_t kFormat = 1;

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
constexpr auto kKind =
    json::one_of<EntryKind::kFile, EntryKind::kFolder, EntryKind::kSymlink, EntryKind::kFifo>();
constexpr Range kOwner{0, UINT32_MAX - 1};

// ---- the fields of a line

constexpr auto kEntry =
    fields(required<&TreeEntry::kind>("k", kKind), defaulted<&TreeEntry::path>("p", kBytes),
           required<&TreeEntry::mode>("m", Range{0, 07777}), required<&TreeEntry::uid>("u", kOwner),
           required<&TreeEntry::gid>("g", kOwner), required<&TreeEntry::mtime>("t", kTime),
           sparse<&TreeEntry::target>("l", kBytes), sparse<&TreeEntry::hard_link>("h", kBytes),
           sparse<&TreeEntry::xattrs>("x", kXattrs));

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

struct Format {
  std::int64_t number = 0;
};
constexpr auto kFormatOnly = fields(required<&Format::number>("format", Range{1, INT32_MAX}));

Json show_format(const BackupSummary&) { return kFormat; }

constexpr auto kSummary = fields(
    json::shown<BackupSummary, show_format>("format"),
    required<&BackupSummary::info, &BackupInfo::id>("id"),
    required<&BackupSummary::info, &BackupInfo::volume>("volume"),
    required<&BackupSummary::volume_id>("volume_id"), required<&BackupSummary::backend>("backend"),
    defaulted<&BackupSummary::options>("options"), defaulted<&BackupSummary::labels>("labels"),
    required<&BackupSummary::info, &BackupInfo::created>("created"),
    required<&BackupSummary::started>("started", kTime),
    required<&BackupSummary::info, &BackupInfo::bytes>("bytes"),
    required<&BackupSummary::info, &BackupInfo::stored>("stored"),
    defaulted<&BackupSummary::info, &BackupInfo::incremental>("incremental"),
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
    case EntryKind::kFile:
    case EntryKind::kDevice:
    case EntryKind::kSocket:
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
  if (chunk_count.chunks > entry.size)
    return fail(Code::kInvalid, "field d must be 0 to {}, not {}: each chunk has a byte at least",
                entry.size, chunk_count.chunks);
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
    const std::uint64_t from =
        entry.chunks.empty() ? 0 : entry.chunks.back().offset + entry.chunks.back().length;
    if (chunk.offset < from || chunk.offset > entry.entry.size ||
        chunk.length > entry.entry.size - chunk.offset)
      return fail(Code::kInvalid, "a chunk of \"{}\" lies outside of its place",
                  shown(entry.entry.path));
    entry.chunks.push_back(chunk);
  }
  return {};
}

std::string to_text(const BackupSummary& summary) {
  return json::dump(json::write(summary, kSummary));
}

Result<BackupSummary> parse_summary(std::string_view text) {
  TRY(const auto document, json::parse(text));
  TRY(const auto format, json::read(document, kFormatOnly));
  if (format.number > kFormat)
    return fail(Code::kUnsupported,
                "the backup has format {}; this version of Fairlead reads up to {}", format.number,
                kFormat);
  return json::read(document, kSummary);
}

}  // namespace fairlead::volume
