#include "volume/service/backup_index.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/json/json.h"
#include "volume/api/text.h"

namespace fairlead::volume {

namespace {

constexpr std::int64_t kFormat = 1;
constexpr std::array<std::pair<EntryKind, std::string_view>, 4> kKinds{
    {{EntryKind::kFile, "file"},
     {EntryKind::kFolder, "folder"},
     {EntryKind::kSymlink, "link"},
     {EntryKind::kFifo, "fifo"}}};

std::string_view word_of(EntryKind kind) {
  for (const auto& [value, word] : kKinds)
    if (value == kind) return word;
  return "file";
}

Result<EntryKind> parse_kind(const std::string& text) {
  for (const auto& [value, word] : kKinds)
    if (word == text) return value;
  return fail(Code::kInvalid, "\"{}\" is no kind of entry", shown(text));
}

json::Json time_json(const FileTime& time) { return json::Json::array({time.seconds, time.nanos}); }

Result<FileTime> parse_time(const json::Object& fields, std::string_view key) {
  const json::Json* const value = fields.find(key);
  if (value == nullptr || !value->is_array() || value->size() != 2 ||
      !(*value)[0].is_number_integer() || !(*value)[1].is_number_unsigned())
    return fail(Code::kInvalid, "field {} must be a time", key);
  const auto nanos = (*value)[1].get<std::uint64_t>();
  if (nanos > 999'999'999) return fail(Code::kInvalid, "field {} must be a time", key);
  return FileTime{.seconds = (*value)[0].get<std::int64_t>(),
                  .nanos = static_cast<std::uint32_t>(nanos)};
}

Result<Digest> parse_digest(const json::Json& value) {
  Digest digest{};
  if (!value.is_string() || !parse_hex(value.string(), digest))
    return fail(Code::kInvalid, "a digest must be 64 hex digits");
  return digest;
}

Result<std::string> parse_bytes(const json::Object& fields, std::string_view key) {
  TRY(const auto text, fields.string_or(key, {}));
  return decode_bytes(text);
}

Status parse_metadata(const json::Object& fields, TreeEntry& entry) {
  TRY(entry.path, parse_bytes(fields, "p"));
  TRY(const auto kind, fields.string("k"));
  TRY(entry.kind, parse_kind(kind));
  TRY(const auto mode, fields.integer("m", 0, 07777));
  TRY(const auto uid, fields.integer("u", 0, UINT32_MAX - 1));
  TRY(const auto gid, fields.integer("g", 0, UINT32_MAX - 1));
  entry.mode = static_cast<mode_t>(mode);
  entry.uid = static_cast<uid_t>(uid);
  entry.gid = static_cast<gid_t>(gid);
  TRY(entry.mtime, parse_time(fields, "t"));
  TRY(entry.target, parse_bytes(fields, "l"));
  TRY(entry.hard_link, parse_bytes(fields, "h"));
  TRY(const auto xattrs, fields.string_map_or_empty("x"));
  for (const auto& [name, value] : xattrs) {
    TRY(auto plain_name, decode_bytes(name));
    TRY(auto plain_value, decode_bytes(value));
    entry.xattrs.emplace(std::move(plain_name), std::move(plain_value));
  }
  return {};
}

Status parse_identity(const json::Object& fields, TreeEntry& entry) {
  TRY(const auto size, fields.integer_or("s", 0, INT64_MAX, 0));
  TRY(const auto inode, fields.integer_or("i", 0, INT64_MAX, 0));
  entry.size = static_cast<std::uint64_t>(size);
  entry.inode = static_cast<std::uint64_t>(inode);
  if (fields.find("c") == nullptr) return {};
  TRY(entry.ctime, parse_time(fields, "c"));
  return {};
}

Result<Chunk> parse_chunk(const json::Json& value) {
  if (!value.is_array() || value.size() != 3 || !value[0].is_number_unsigned() ||
      !value[1].is_number_unsigned())
    return fail(Code::kInvalid, "a piece must be offset, length and digest");
  const auto length = value[1].get<std::uint64_t>();
  if (length == 0 || length > kChunkSize)
    return fail(Code::kInvalid, "a piece has 1 to {} bytes", kChunkSize);
  Chunk chunk{.offset = value[0].get<std::uint64_t>(),
              .length = static_cast<std::uint32_t>(length)};
  TRY(chunk.digest, parse_digest(value[2]));
  return chunk;
}

json::Json to_json(const TreeEntry& entry) {
  json::Json line{{"k", word_of(entry.kind)}, {"p", encode_bytes(entry.path)},
                  {"m", entry.mode},          {"u", entry.uid},
                  {"g", entry.gid},           {"t", time_json(entry.mtime)}};
  if (!entry.target.empty()) line["l"] = encode_bytes(entry.target);
  if (!entry.hard_link.empty()) line["h"] = encode_bytes(entry.hard_link);
  for (const auto& [name, value] : entry.xattrs)
    line["x"][encode_bytes(name)] = encode_bytes(value);
  if (entry.kind != EntryKind::kFile) return line;
  line["s"] = entry.size;
  // Inode numbers beyond a signed integer do not occur; such a file would be read each time.
  line["i"] = entry.inode <= INT64_MAX ? entry.inode : 0;
  line["c"] = time_json(entry.ctime);
  return line;
}

}  // namespace

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
  json::Json head = to_json(entry.entry);
  if (entry.has_holes) head["z"] = 1;
  if (!entry.chunks.empty()) head["d"] = entry.chunks.size();
  std::string text = json::dump(head) + "\n";
  for (std::size_t from = 0; from < entry.chunks.size(); from += kMostPiecesInALine) {
    json::Json line{{"d", json::Json::array()}};
    const std::size_t end = std::min(from + kMostPiecesInALine, entry.chunks.size());
    for (std::size_t k = from; k < end; ++k)
      line["d"].push_back(json::Json::array(
          {entry.chunks[k].offset, entry.chunks[k].length, to_hex(entry.chunks[k].digest)}));
    text += json::dump(line) + "\n";
  }
  return text;
}

Result<ParsedLine> parse_entry(std::string_view line) {
  TRY(const auto document, json::parse(line));
  TRY(const auto fields, json::Object::of(document));
  ParsedLine parsed;
  TRY_STATUS(parse_metadata(fields, parsed.entry.entry));
  TRY_STATUS(parse_identity(fields, parsed.entry.entry));
  TRY(const auto holes, fields.integer_or("z", 0, 1, 0));
  parsed.entry.has_holes = holes == 1;
  // Each chunk has at least one byte, so there are at most as many chunks as bytes.
  TRY(const auto chunks,
      fields.integer_or("d", 0, static_cast<std::int64_t>(parsed.entry.entry.size), 0));
  parsed.chunks = static_cast<std::uint64_t>(chunks);
  return parsed;
}

Status parse_chunks(std::string_view line, BackupEntry& entry) {
  TRY(const auto document, json::parse(line));
  TRY(const auto fields, json::Object::of(document));
  const json::Json* const list = fields.find("d");
  if (list == nullptr || !list->is_array() || list->empty() || list->size() > kMostPiecesInALine)
    return fail(Code::kInvalid, "a line of pieces is malformed");
  for (const json::Json& value : *list) {
    TRY(const auto chunk, parse_chunk(value));
    const std::uint64_t from =
        entry.chunks.empty() ? 0 : entry.chunks.back().offset + entry.chunks.back().length;
    if (chunk.offset < from || chunk.offset > entry.entry.size ||
        chunk.length > entry.entry.size - chunk.offset)
      return fail(Code::kInvalid, "a piece of \"{}\" lies outside of its place",
                  shown(entry.entry.path));
    entry.chunks.push_back(chunk);
  }
  return {};
}

std::string to_text(const BackupSummary& summary) {
  json::Json text{{"format", kFormat},
                  {"id", summary.info.id},
                  {"volume", summary.info.volume},
                  {"volume_id", summary.volume_id},
                  {"backend", summary.backend},
                  {"options", summary.options},
                  {"labels", summary.labels},
                  {"created", summary.info.created},
                  {"started", time_json(summary.started)},
                  {"bytes", summary.info.bytes},
                  {"stored", summary.info.stored},
                  {"incremental", summary.info.incremental},
                  {"entries", summary.entries},
                  {"lines", to_hex(summary.lines)},
                  {"packs", json::Json::array()}};
  for (const Digest& pack : summary.packs) text["packs"].push_back(to_hex(pack));
  return json::dump(text);
}

Result<BackupSummary> parse_summary(std::string_view text) {
  TRY(const auto document, json::parse(text));
  TRY(const auto fields, json::Object::of(document));
  TRY(const auto format, fields.integer("format", 1, INT32_MAX));
  if (format > kFormat)
    return fail(Code::kUnsupported,
                "the backup has format {}; this version of Fairlead reads up to {}", format,
                kFormat);
  BackupSummary summary;
  TRY(summary.info.id, fields.string("id"));
  TRY(summary.info.volume, fields.string("volume"));
  TRY(summary.volume_id, fields.string("volume_id"));
  TRY(summary.backend, fields.string("backend"));
  TRY(summary.options, fields.string_map_or_empty("options"));
  TRY(summary.labels, fields.string_map_or_empty("labels"));
  TRY(summary.info.created, fields.integer("created", 0, INT64_MAX));
  TRY(summary.started, parse_time(fields, "started"));
  TRY(const auto bytes, fields.integer("bytes", 0, INT64_MAX));
  TRY(const auto stored, fields.integer("stored", 0, INT64_MAX));
  TRY(const auto entries, fields.integer("entries", 0, INT64_MAX));
  TRY(summary.info.incremental, fields.bool_or("incremental", false));
  TRY(const auto lines, fields.string("lines"));
  TRY(summary.lines, parse_digest(lines));
  TRY(const auto packs, fields.strings_or_empty("packs"));
  for (const std::string& pack : packs) {
    TRY(const auto digest, parse_digest(pack));
    summary.packs.push_back(digest);
  }
  summary.info.bytes = static_cast<std::uint64_t>(bytes);
  summary.info.stored = static_cast<std::uint64_t>(stored);
  summary.entries = static_cast<std::uint64_t>(entries);
  return summary;
}

}  // namespace fairlead::volume
