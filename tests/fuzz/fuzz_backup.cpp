// The index of a backup and the list of a pack, from a folder that came from anywhere.
#include <cstdint>
#include <string>
#include <string_view>

#include "volume/service/backup_index.h"
#include "volume/service/chunk_store.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fairlead::volume;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  (void)parse_summary(text);
  (void)parse_pack_list(text, size);
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
