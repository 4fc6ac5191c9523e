#include "volume/service/pack_format.h"

#include <endian.h>

#include <algorithm>
#include <cstring>

#include "volume/service/backup_index.h"

namespace fairlead::volume {

namespace {

constexpr std::string_view kPlain = "FLPACK1\n", kSealed = "FLPACK2\n", kEnding = ".pack";
constexpr std::string_view kAboutList = "list";
constexpr std::size_t kRow = sizeof(Digest) + 3 * sizeof(std::uint32_t);
constexpr std::size_t kSealedTail = sizeof(std::uint32_t) + kSealed.size();
static_assert(kPackTail == sizeof(std::uint32_t) + sizeof(Digest) + kPlain.size());

void append_number(std::string& to, std::uint32_t number) {
  const std::uint32_t raw = htole32(number);
  to.append(reinterpret_cast<const char*>(&raw), sizeof raw);
}

std::uint32_t read_number(std::string_view from) {
  std::uint32_t raw = 0;
  std::memcpy(&raw, from.data(), sizeof raw);
  return le32toh(raw);
}

void append_digest(std::string& to, const Digest& digest) {
  to.append(reinterpret_cast<const char*>(digest.data()), digest.size());
}

Digest read_digest(std::string_view from) {
  Digest digest{};
  std::memcpy(digest.data(), from.data(), digest.size());
  return digest;
}

Result<std::vector<PackedChunk>> parse_rows(std::string_view list, std::uint64_t pack_size,
                                            std::size_t largest) {
  std::vector<PackedChunk> chunks;
  chunks.reserve(list.size() / kRow);
  for (std::size_t at = 0; at < list.size(); at += kRow) {
    const std::string_view row = list.substr(at, kRow);
    const PackedChunk chunk{.digest = read_digest(row),
                            .offset = read_number(row.substr(32)),
                            .stored = read_number(row.substr(36)),
                            .length = read_number(row.substr(40))};
    if (chunk.length > kChunkSize || chunk.stored > largest ||
        chunk.stored > pack_size - std::min<std::uint64_t>(chunk.offset, pack_size))
      return fail(Code::kInvalid, "a chunk lies outside of it");
    chunks.push_back(chunk);
  }
  return chunks;
}

Result<std::vector<PackedChunk>> parse_sealed(std::string_view end, std::uint64_t pack_size,
                                              const BackupCipher& cipher) {
  if (end.size() < kSealedTail || !end.ends_with(kSealed))
    return fail(Code::kInvalid, "it is cut off");
  auto list = cipher.open(end.substr(0, end.size() - kSealedTail), kAboutList);
  if (!list || list->size() % kRow != 0) return fail(Code::kInvalid, "its list is damaged");
  return parse_rows(*list, pack_size, kChunkSize + kSealSize);
}

}  // namespace

std::string_view pack_magic(const BackupCipher* cipher) {
  return cipher != nullptr ? kSealed : kPlain;
}

std::string to_pack_end(const std::vector<PackedChunk>& chunks, const BackupCipher* cipher) {
  std::string list;
  for (const PackedChunk& chunk : chunks) {
    append_digest(list, chunk.digest);
    append_number(list, chunk.offset);
    append_number(list, chunk.stored);
    append_number(list, chunk.length);
  }
  if (cipher != nullptr) {
    std::string sealed;
    cipher->seal(list, kAboutList, sealed);
    append_number(sealed, static_cast<std::uint32_t>(sealed.size()));
    return sealed.append(kSealed);
  }
  const Digest digest = sha256(list);
  append_number(list, static_cast<std::uint32_t>(chunks.size()));
  append_digest(list, digest);
  return list.append(kPlain);
}

Result<std::uint64_t> pack_end_size(std::string_view tail, const BackupCipher* cipher) {
  if (tail.size() < kPackTail || !tail.ends_with(pack_magic(cipher)))
    return fail(Code::kInvalid, "it is cut off");
  if (cipher != nullptr)
    return std::uint64_t{read_number(tail.substr(tail.size() - kSealedTail))} + kSealedTail;
  return std::uint64_t{read_number(tail.substr(tail.size() - kPackTail))} * kRow + kPackTail;
}

Result<std::vector<PackedChunk>> parse_pack_end(std::string_view end, std::uint64_t pack_size,
                                                const BackupCipher* cipher) {
  if (cipher != nullptr) return parse_sealed(end, pack_size, *cipher);
  if (end.size() < kPackTail || !end.ends_with(kPlain))
    return fail(Code::kInvalid, "it is cut off");
  const std::string_view tail = end.substr(end.size() - kPackTail);
  const std::string_view list = end.substr(0, end.size() - kPackTail);
  if (list.size() != std::size_t{read_number(tail)} * kRow ||
      sha256(list) != read_digest(tail.substr(sizeof(std::uint32_t))))
    return fail(Code::kInvalid, "its list is damaged");
  return parse_rows(list, pack_size, kChunkSize);
}

std::string pack_name(const Digest& pack) { return "packs/" + to_hex(pack) + std::string(kEnding); }

std::optional<Digest> parse_pack_name(std::string_view name) {
  Digest digest{};
  if (!name.ends_with(kEnding) || !parse_hex(name.substr(0, name.size() - kEnding.size()), digest))
    return std::nullopt;
  return digest;
}

}  // namespace fairlead::volume
