#include "volume/service/chunk_store.h"

#include <endian.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/fault.h"
#include "base/hash.h"
#include "volume/kernel/tree_reader.h"
#include "volume/service/backup_index.h"

namespace fairlead::volume {

namespace {

constexpr std::string_view kMagic = "FLPACK1\n", kEnding = ".pack";
constexpr std::size_t kPackSize = 16U << 20;
constexpr std::size_t kLargestPack = 1U << 30;
constexpr std::uint32_t kOpenPack = UINT32_MAX;
constexpr std::size_t kMostOpened = 32;
constexpr std::size_t kRow = sizeof(Digest) + 3 * sizeof(std::uint32_t);
constexpr std::size_t kTail = sizeof(std::uint32_t) + sizeof(Digest) + kMagic.size();

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

std::string to_list(const std::vector<PackedChunk>& chunks) {
  std::string list;
  for (const PackedChunk& chunk : chunks) {
    append_digest(list, chunk.digest);
    append_number(list, chunk.offset);
    append_number(list, chunk.stored);
    append_number(list, chunk.length);
  }
  const Digest digest = sha256(list);
  append_number(list, static_cast<std::uint32_t>(chunks.size()));
  append_digest(list, digest);
  return list.append(kMagic);
}

std::string file_name(const Digest& pack) { return to_hex(pack) + std::string(kEnding); }

// The list of a pack; the end of the pack tells how long it is.
Result<std::vector<PackedChunk>> read_list(int file, const std::string& name) {
  struct stat info {};
  if (::fstat(file, &info) != 0) return fail_errno(errno, fmt::format("read {}", name));
  const auto size = static_cast<std::uint64_t>(info.st_size);
  if (size < kMagic.size() + kTail) return fail(Code::kInvalid, "{} is cut off", name);
  TRY(const auto tail, read_range(file, size - kTail, kTail));
  if (tail.size() < kTail) return fail(Code::kInvalid, "{} is cut off", name);
  const std::uint64_t list = pack_list_size(read_number(tail));
  if (list > size) return fail(Code::kInvalid, "{} is damaged: its list is longer than it", name);
  TRY(const auto end, read_range(file, size - list, list));
  auto chunks = parse_pack_list(end, size);
  if (!chunks) return fail(with_context(chunks.error(), name));
  return chunks;
}

}  // namespace

Result<UniqueFd> open_backup_file(const Folder& folder, const std::string& name) {
  TRY(auto file, open_beneath(folder.fd(), name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY));
  struct stat info {};
  if (::fstat(file.get(), &info) != 0 || !S_ISREG(info.st_mode))
    return fail(Code::kInvalid, "open {}/{}: it is not a regular file", folder.path(), name);
  return file;
}

std::size_t DigestHash::operator()(const Digest& digest) const {
  std::size_t first = 0;  // as well distributed as any hash of it
  std::memcpy(&first, digest.data(), sizeof first);
  return first;
}

std::size_t pack_list_size(std::uint32_t chunks) { return std::size_t{chunks} * kRow + kTail; }

Result<std::vector<PackedChunk>> parse_pack_list(std::string_view end, std::uint64_t pack_size) {
  if (end.size() < kTail || !end.ends_with(kMagic)) return fail(Code::kInvalid, "it is cut off");
  const std::string_view tail = end.substr(end.size() - kTail);
  const std::uint32_t count = read_number(tail);
  const std::string_view list = end.substr(0, end.size() - kTail);
  if (list.size() != std::size_t{count} * kRow ||
      sha256(list) != read_digest(tail.substr(sizeof(std::uint32_t))))
    return fail(Code::kInvalid, "its list is damaged");
  std::vector<PackedChunk> chunks;
  chunks.reserve(count);
  for (std::size_t at = 0; at < list.size(); at += kRow) {
    const std::string_view row = list.substr(at, kRow);
    const PackedChunk chunk{.digest = read_digest(row),
                            .offset = read_number(row.substr(32)),
                            .stored = read_number(row.substr(36)),
                            .length = read_number(row.substr(40))};
    if (chunk.length > kChunkSize || chunk.stored > kChunkSize ||
        chunk.stored > pack_size - std::min<std::uint64_t>(chunk.offset, pack_size))
      return fail(Code::kInvalid, "a chunk lies outside of it");
    chunks.push_back(chunk);
  }
  return chunks;
}

Result<ChunkStore> ChunkStore::open(Folder packs, Folder tmp) {
  ChunkStore store(std::move(packs), std::move(tmp));
  TRY(const auto names, store.folder_.names());
  for (const std::string& name : names) {
    Digest digest{};
    const std::size_t stem = name.size() - std::min(name.size(), kEnding.size());
    if (!name.ends_with(kEnding) || !parse_hex(std::string_view(name).substr(0, stem), digest))
      continue;  // not one of our files
    if (const auto loaded = store.load(name, digest); !loaded)
      store.damaged_.push_back(loaded.error().text);
  }
  return store;
}

Status ChunkStore::load(const std::string& name, const Digest& digest) {
  TRY(const auto file, open_backup_file(folder_, name));
  const auto pack = static_cast<std::uint32_t>(packs_.size());
  packs_.push_back(digest);  // a damaged pack too, so that it can be checked and removed
  TRY(const auto chunks, read_list(file.get(), name));
  for (const PackedChunk& chunk : chunks)
    places_.try_emplace(chunk.digest,
                        ChunkLocation{pack, chunk.offset, chunk.stored, chunk.length});
  return {};
}

Status ChunkStore::put(const Digest& digest, std::string_view bytes) {
  if (has(digest)) return {};
  if (open_bytes_.empty()) open_bytes_ = kMagic;
  const std::string packed = writer_.pack(bytes);
  const std::string_view stored = packed.size() < bytes.size() ? std::string_view(packed) : bytes;
  const PackedChunk chunk{.digest = digest,
                          .offset = static_cast<std::uint32_t>(open_bytes_.size()),
                          .stored = static_cast<std::uint32_t>(stored.size()),
                          .length = static_cast<std::uint32_t>(bytes.size())};
  open_bytes_.append(stored);
  open_list_.push_back(chunk);
  places_.emplace(digest, ChunkLocation{kOpenPack, chunk.offset, chunk.stored, chunk.length});
  return open_bytes_.size() < kPackSize ? Status() : flush();
}

Status ChunkStore::flush() {
  if (open_list_.empty()) return {};
  open_bytes_ += to_list(open_list_);
  const Digest digest = sha256(open_bytes_);
  const std::string building = random_hex(32), name = file_name(digest);
  TRY_STATUS(tmp_.write_file(building, open_bytes_, 0600));
  fault_point("backup.pack.written");
  // Without RENAME_NOREPLACE, which network file systems lack: a pack of this name would have the
  // same bytes.
  if (::renameat(tmp_.fd(), building.c_str(), folder_.fd(), name.c_str()) != 0)
    return fail_errno(errno, fmt::format("publish {}", name));
  TRY_STATUS(folder_.sync());
  fault_point("backup.pack.renamed");
  const auto pack = static_cast<std::uint32_t>(packs_.size());
  packs_.push_back(digest);
  for (const PackedChunk& chunk : open_list_) places_[chunk.digest].pack = pack;
  stored_ += open_bytes_.size();
  open_list_.clear();
  open_bytes_.clear();
  return {};
}

Result<UniqueFd> ChunkStore::open_pack(std::uint32_t pack) {
  return open_backup_file(folder_, file_name(packs_[pack]));
}

Result<std::string> ChunkStore::unpack(std::string_view stored, const PackedChunk& chunk) {
  if (stored.size() != chunk.stored) return fail(Code::kInvalid, "a pack is cut off");
  std::string bytes;
  if (chunk.stored == chunk.length) {
    bytes = stored;
  } else {
    TRY(bytes, reader_.unpack(stored, chunk.length));
  }
  if (sha256(bytes) != chunk.digest)
    return fail(Code::kInvalid, "a chunk is not what its digest says");
  return bytes;
}

Result<std::string> ChunkStore::get(const Digest& digest) {
  const auto found = places_.find(digest);
  if (found == places_.end() || found->second.pack == kOpenPack)
    return fail(Code::kNotFound, "the chunk {} is in no pack", to_hex(digest));
  const ChunkLocation& place = found->second;
  auto opened = opened_.find(place.pack);
  if (opened == opened_.end()) {
    if (opened_.size() >= kMostOpened) opened_.clear();
    TRY(auto file, open_pack(place.pack));
    opened = opened_.emplace(place.pack, std::move(file)).first;
  }
  TRY(const auto stored, read_range(opened->second.get(), place.offset, place.stored));
  auto bytes = unpack(stored, {digest, place.offset, place.stored, place.length});
  if (!bytes)
    return fail(with_context(bytes.error(), fmt::format("pack {}", file_name(packs_[place.pack]))));
  return bytes;
}

const Digest& ChunkStore::pack_of(const Digest& digest) const {
  return packs_[places_.at(digest).pack];
}

Result<std::vector<Digest>> ChunkStore::check_pack(const Digest& pack) {
  TRY(const auto text, folder_.read_file(file_name(pack), kLargestPack));
  if (sha256(text) == pack) return std::vector<Digest>();
  std::vector<Digest> bad;
  for (const auto& [digest, place] : places_) {
    if (place.pack == kOpenPack || packs_[place.pack] != pack) continue;
    const std::string_view all(text);
    const std::string_view stored =
        all.substr(std::min<std::size_t>(place.offset, all.size()), place.stored);
    if (!unpack(stored, {digest, place.offset, place.stored, place.length})) bad.push_back(digest);
  }
  // Empty when only the list is damaged, or bytes between the chunks: no content is lost then.
  return bad;
}

Result<std::uint64_t> ChunkStore::remove_pack(const Digest& pack) {
  const std::string name = file_name(pack);
  struct stat info {};
  if (::fstatat(folder_.fd(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0 ||
      ::unlinkat(folder_.fd(), name.c_str(), 0) != 0)
    return errno == ENOENT ? Result<std::uint64_t>(0)
                           : fail_errno(errno, fmt::format("remove {}", name));
  return static_cast<std::uint64_t>(info.st_size);
}

}  // namespace fairlead::volume
