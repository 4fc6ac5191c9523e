// A pack: many chunks in one file, which never changes.
//
//   packs/<SHA-256 of the file>.pack
//
//   "FLPACK1\n"
//   the chunks one after the other, each a zstd frame, or plain where that is not larger
//   the list: per chunk 32 bytes digest, then offset, stored length and length (32 bits each,
//             little-endian)
//   the number of chunks (32 bits), SHA-256 of the list, "FLPACK1\n"
//
// In an encrypted folder (backup_cipher.h):
//
//   "FLPACK2\n"
//   the chunks, each sealed about its digest
//   the list as above, sealed about "list"
//   the length of the sealed list (32 bits), "FLPACK2\n"
//
// Rejected: a file for each chunk, because every small file would cost an fsync(2).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "volume/kernel/sha256.h"
#include "volume/service/backup_cipher.h"

namespace fairlead::volume {

// An item of the list.
struct PackedChunk {
  Digest digest{};
  std::uint32_t offset = 0, stored = 0, length = 0;
  bool operator==(const PackedChunk&) const = default;
};

std::string_view pack_magic(const BackupCipher* cipher);  // nullptr: not encrypted
// The list and what follows it.
std::string to_pack_end(const std::vector<PackedChunk>& chunks, const BackupCipher* cipher);

// How many bytes at the end of the pack hold the list and what follows it. `tail` is the end of the
// pack, of at least kPackTail bytes. kInvalid when it is no pack.
inline constexpr std::size_t kPackTail = 44;
Result<std::uint64_t> pack_end_size(std::string_view tail, const BackupCipher* cipher);
// Parses the last pack_end_size() bytes of a pack of `pack_size` bytes. Pure and fuzzed; kInvalid
// when the list is damaged.
Result<std::vector<PackedChunk>> parse_pack_end(std::string_view end, std::uint64_t pack_size,
                                                const BackupCipher* cipher);

std::string pack_name(const Digest& pack);                     // "packs/<hex>.pack"
std::optional<Digest> parse_pack_name(std::string_view name);  // "<hex>.pack"

}  // namespace fairlead::volume
