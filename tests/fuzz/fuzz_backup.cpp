// The index of a backup and the list of a pack, from a folder that came from anywhere.
#include <cstdint>
#include <string>
#include <string_view>

#include "volume/service/backup_index.h"
#include "volume/service/backup_marker.h"
#include "volume/service/pack_format.h"

using namespace fairlead::volume;

// Records of an index, as a reader takes them.
static void read_records(std::string_view text) {
  BackupEntry entry;
  std::uint64_t chunks = 0;
  for (;;) {
    const auto size = record_size(text);
    if (!size || size->head == 0 || size->whole > text.size()) return;
    const std::string_view record = text.substr(size->head, size->whole - size->head);
    text.remove_prefix(size->whole);
    const std::string before = entry.entry.path;
    if (entry.chunks.size() < chunks) {
      if (!parse_chunk_record(record, entry)) return;
      continue;
    }
    if (!parse_record(record, entry, chunks)) return;
    if (chunks != 0) continue;
    // What was accepted is written and read again to the same.
    std::string again;
    if (!append_records(entry, before, again)) return;
    const auto whole = record_size(again);
    BackupEntry second;
    second.entry.path = before;
    if (!whole || !parse_record(std::string_view(again).substr(whole->head), second, chunks) ||
        !(second == entry))
      __builtin_trap();
  }
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  (void)parse_summary(text);
  static const BackupCipher cipher{SecretKey()};
  for (const BackupCipher* one : {static_cast<const BackupCipher*>(nullptr), &cipher}) {
    (void)pack_end_size(text, one);
    (void)parse_pack_end(text, size, one);
  }
  (void)parse_marker(text);
  read_records(text);
  (void)decode_bytes(std::string(text));
  const auto line_end = text.find('\n');
  const auto parsed = parse_entry(text.substr(0, line_end));
  if (!parsed) return 0;
  BackupEntry entry = parsed->entry;
  if (line_end != std::string_view::npos) (void)parse_chunks(text.substr(line_end + 1), entry);
  // What was accepted is written and read again to the same.
  const std::string lines = to_lines(entry);
  const auto again = parse_entry(std::string_view(lines).substr(0, lines.find('\n')));
  if (!again || again->entry.entry.path != entry.entry.path) __builtin_trap();
  return 0;
}
