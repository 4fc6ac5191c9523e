#include "volume/service/chunk_store.h"

#include <algorithm>

#include "volume/service/backup_index.h"
#include "volume/service/parallel.h"

namespace fairlead::volume {

namespace {

constexpr std::size_t kMostOpened = 32, kStep = 1U << 20, kFirstLook = 8U << 10;
constexpr std::size_t kTakeAfter = 4096;  // chunks
constexpr std::uint64_t kLargestEnd = 1U << 30;

std::string_view text_of(const Digest& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

Result<std::string> read_end(BackupReader& pack, std::uint64_t size) {
  std::string end(size, '\0');
  const BackupRange range{.offset = pack.size() - size, .into = end};
  TRY_STATUS(pack.read({&range, 1}));
  return end;
}

// The list of a pack. Most lists are in the first look; the end of the pack tells of longer ones.
Result<std::vector<PackedChunk>> read_list(BackupReader& pack, const BackupCipher* cipher) {
  TRY(auto end, read_end(pack, std::min<std::uint64_t>(pack.size(), kFirstLook)));
  TRY(const std::uint64_t size, pack_end_size(end, cipher));
  if (size > pack.size() || size > kLargestEnd)
    return fail(Code::kInvalid, "it is damaged: its list is longer than it");
  if (size > end.size()) {
    TRY(end, read_end(pack, size));
  }
  return parse_pack_end(std::string_view(end).substr(end.size() - size), pack.size(), cipher);
}

// The digest of all bytes, by pieces.
Result<Digest> hash_of(BackupReader& pack) {
  std::string buffer(std::min<std::uint64_t>(kStep, pack.size()), '\0');
  Sha256 hash;
  for (std::uint64_t at = 0; at < pack.size();) {
    const std::size_t length = std::min<std::uint64_t>(buffer.size(), pack.size() - at);
    const BackupRange range{.offset = at, .into = std::span(buffer).first(length)};
    TRY_STATUS(pack.read({&range, 1}));
    hash.add(std::string_view(buffer).substr(0, length));
    at += length;
  }
  return hash.finish();
}

struct LoadedPack {
  std::vector<PackedChunk> chunks;
  std::string wrong;         // why its list cannot be used
  bool is_leftover = false;  // of an interrupted writer, and damaged
};

LoadedPack load_pack(const ChunkStore::Parts& parts, const Digest& digest, bool is_trusted) {
  const auto loaded = [&]() -> Result<LoadedPack> {
    TRY(const auto pack, parts.storage->open(pack_name(digest)));
    if (!is_trusted) {
      TRY(const auto hash, hash_of(*pack));
      if (hash != digest) return LoadedPack{.chunks = {}, .wrong = {}, .is_leftover = true};
    }
    TRY(auto chunks, read_list(*pack, parts.cipher.get()));
    return LoadedPack{.chunks = std::move(chunks), .wrong = {}};
  }();
  if (loaded) return *loaded;
  return {.chunks = {},
          .wrong = fmt::format("{}.pack: {}", to_hex(digest), loaded.error().text),
          .is_leftover = !is_trusted};
}

}  // namespace

// The packs that were read last, open.
struct ChunkStore::Shared {
  std::mutex mutex;
  std::list<std::pair<std::uint32_t, std::shared_ptr<BackupReader>>> opened;  // newest first
};

ChunkStore::ChunkStore(Parts parts)
    : parts_(std::move(parts)), shared_(std::make_unique<Shared>()) {}
ChunkStore::ChunkStore(ChunkStore&&) noexcept = default;
ChunkStore& ChunkStore::operator=(ChunkStore&&) noexcept = default;
ChunkStore::~ChunkStore() = default;

Result<ChunkStore> ChunkStore::open(Parts parts) { return load(std::move(parts), nullptr); }

Result<ChunkStore> ChunkStore::open(Parts parts, const std::set<Digest>& trusted) {
  return load(std::move(parts), &trusted);
}

// Reads the lists of several packs at the same time, because a far storage is slow to answer.
Result<ChunkStore> ChunkStore::load(Parts parts, const std::set<Digest>* trusted) {
  ChunkStore store(std::move(parts));
  TRY(const auto files, store.parts_.storage->list("packs"));
  for (const BackupFile& file : files) {
    const auto digest = parse_pack_name(file.name);
    if (!digest) continue;            // not one of our files
    store.packs_.push_back(*digest);  // a damaged pack too, so that it can be checked and removed
    store.sizes_.push_back(file.size);
  }
  constexpr std::size_t kAtOnce = 256;
  const bool is_durable = store.parts_.storage->publishes_durably();
  for (std::size_t from = 0; from < store.packs_.size(); from += kAtOnce) {
    std::vector<LoadedPack> loaded(std::min(kAtOnce, store.packs_.size() - from));
    in_parallel(loaded.size(), reading_threads(*store.parts_.storage, 32), [&](std::size_t k) {
      const Digest& pack = store.packs_[from + k];
      const bool is_trusted = trusted == nullptr || is_durable || trusted->contains(pack);
      loaded[k] = load_pack(store.parts_, pack, is_trusted);
      return true;
    });
    for (std::size_t k = 0; k < loaded.size(); ++k) {
      store.add_pack(static_cast<std::uint32_t>(from + k), loaded[k].chunks);
      if (!loaded[k].is_leftover && !loaded[k].wrong.empty())
        store.damaged_.push_back(std::move(loaded[k].wrong));
    }
  }
  store.marked_.resize(store.packs_.size());
  store.first_own_ = store.packs_.size();
  return store;
}

void ChunkStore::add_pack(std::uint32_t number, const std::vector<PackedChunk>& chunks) {
  table_.reserve(chunks.size());
  for (const PackedChunk& chunk : chunks)
    table_.add(chunk.digest, {number, chunk.offset, chunk.stored, chunk.length});
}

Digest ChunkStore::digest(std::string_view bytes) const {
  return parts_.cipher ? parts_.cipher->digest(bytes) : sha256(bytes);
}

Status ChunkStore::put(const Digest& digest, std::string_view bytes) {
  if (has(digest)) return {};
  if (!table_.add(digest, {.pack = kOpenPack})) table_.move(digest, {.pack = kOpenPack});
  if (!writer_) writer_ = std::make_unique<PackWriter>(*parts_.storage, parts_.cipher.get());
  if (table_.size() % kTakeAfter == 0) take_finished();  // or the lists would pile up
  return writer_->put(digest, bytes);
}

void ChunkStore::take_finished() {
  for (FinishedPack& pack : writer_->take_finished()) {
    const auto number = static_cast<std::uint32_t>(packs_.size());
    packs_.push_back(pack.name);
    sizes_.push_back(pack.size);
    marked_.push_back(false);
    stored_ += pack.size;
    for (const PackedChunk& chunk : pack.chunks)
      table_.move(chunk.digest, {number, chunk.offset, chunk.stored, chunk.length});
  }
}

Status ChunkStore::flush() {
  if (!writer_) return {};
  const auto finished = writer_->finish();
  take_finished();
  const auto synced = parts_.storage->sync();
  return finished ? synced : finished;
}

// ---- reading

Result<std::shared_ptr<BackupReader>> ChunkStore::reader(std::uint32_t pack) const {
  auto& opened = shared_->opened;
  {
    const std::lock_guard guard(shared_->mutex);
    const auto found = std::ranges::find(opened, pack, [](const auto& one) { return one.first; });
    if (found != opened.end()) {
      opened.splice(opened.begin(), opened, found);
      return found->second;
    }
  }
  TRY(std::shared_ptr<BackupReader> fresh, parts_.storage->open(pack_name(packs_[pack])));
  const std::lock_guard guard(shared_->mutex);
  opened.emplace_front(pack, fresh);
  if (opened.size() > kMostOpened) opened.pop_back();
  return fresh;
}

Result<std::string> ChunkStore::unpack(std::string_view stored, const Wanted& chunk) const {
  thread_local ZstdReader zstd;
  std::string opened;
  if (parts_.cipher) {
    TRY(opened, parts_.cipher->open(stored, text_of(chunk.digest)));
    stored = opened;
  }
  std::string bytes;
  if (stored.size() == chunk.place.length) {
    bytes = stored;
  } else {
    TRY(bytes, zstd.unpack(stored, chunk.place.length));
  }
  if (digest(bytes) != chunk.digest)
    return fail(Code::kInvalid, "a chunk is not what its digest says");
  return bytes;
}

std::vector<Result<std::string>> ChunkStore::read(const std::vector<Wanted>& chunks) const {
  std::vector<Result<std::string>> texts;
  texts.reserve(chunks.size());
  const std::uint32_t number = chunks.front().place.pack;
  const auto in_pack = [&](Error error) {
    return with_context(std::move(error), fmt::format("pack {}.pack", to_hex(packs_[number])));
  };
  std::size_t total = 0;
  for (const Wanted& chunk : chunks) total += chunk.place.stored;
  std::string buffer(total, '\0');
  std::vector<BackupRange> ranges;
  std::size_t at = 0;
  for (const Wanted& chunk : chunks) {  // neighbours become one range
    const std::span<char> into = std::span(buffer).subspan(at, chunk.place.stored);
    if (!ranges.empty() && ranges.back().offset + ranges.back().into.size() == chunk.place.offset)
      ranges.back().into = {ranges.back().into.data(), ranges.back().into.size() + into.size()};
    else
      ranges.push_back({.offset = chunk.place.offset, .into = into});
    at += into.size();
  }
  const auto pack = reader(number);
  const auto got = pack ? (*pack)->read(ranges) : fail(pack.error());
  if (!got && pack && chunks.size() > 1) {  // the others may still be there
    for (const Wanted& chunk : chunks) texts.push_back(std::move(read({chunk}).front()));
    return texts;
  }
  at = 0;
  for (const Wanted& chunk : chunks) {
    if (!got) {
      texts.emplace_back(fail(in_pack(got.error())));
      continue;
    }
    auto text = unpack(std::string_view(buffer).substr(at, chunk.place.stored), chunk);
    texts.push_back(text ? std::move(text) : fail(in_pack(text.error())));
    at += chunk.place.stored;
  }
  return texts;
}

std::optional<ChunkLocation> ChunkStore::place_of(const Digest& digest) const {
  const ChunkLocation* const place = table_.find(digest);
  if (place == nullptr || place->pack >= packs_.size()) return std::nullopt;
  return *place;
}

Result<std::string> ChunkStore::get(const Digest& digest) const {
  const auto place = place_of(digest);
  if (!place) return fail(Code::kNotFound, "the chunk {} is in no pack", to_hex(digest));
  return std::move(read({{digest, *place}}).front());
}

// ---- packs

const Digest& ChunkStore::pack_of(const Digest& digest) const {
  return packs_.at(table_.find(digest)->pack);
}

bool ChunkStore::mark(const Digest& digest) {
  const ChunkLocation* const place = table_.find(digest);
  if (place != nullptr && place->pack < packs_.size()) marked_[place->pack] = true;
  return place != nullptr && place->pack != kForgotten;
}

std::vector<Digest> ChunkStore::needed_packs() const {
  std::set<Digest> needed(packs_.begin() + static_cast<std::ptrdiff_t>(first_own_), packs_.end());
  for (std::size_t k = 0; k < first_own_; ++k)
    if (marked_[k]) needed.insert(packs_[k]);
  return {needed.begin(), needed.end()};
}

// One by one, because of a pack that is cut off the beginning is still good.
Result<std::vector<Digest>> ChunkStore::find_damage(BackupReader& pack, const Digest& name) const {
  std::vector<Digest> bad;
  const auto number = static_cast<std::uint32_t>(std::ranges::find(packs_, name) - packs_.begin());
  table_.for_each([&](const Digest& digest, const ChunkLocation& place) {
    if (place.pack != number) return;
    std::string stored(place.stored, '\0');
    const BackupRange range{.offset = place.offset, .into = stored};
    if (!pack.read({&range, 1}) || !unpack(stored, {digest, place})) bad.push_back(digest);
  });
  // Empty when only the list is damaged, or bytes between the chunks: no content is lost then.
  return bad;
}

Result<std::vector<Digest>> ChunkStore::check_pack(const Digest& pack) const {
  TRY(const auto file, parts_.storage->open(pack_name(pack)));
  TRY(const auto hash, hash_of(*file));
  if (hash == pack) return std::vector<Digest>();
  return find_damage(*file, pack);
}

std::vector<PackedChunk> ChunkStore::chunks_in(const Digest& pack) const {
  std::vector<PackedChunk> chunks;
  table_.for_each([&](const Digest& digest, const ChunkLocation& place) {
    if (place.pack < packs_.size() && packs_[place.pack] == pack)
      chunks.push_back({digest, place.offset, place.stored, place.length});
  });
  return chunks;
}

std::uint64_t ChunkStore::pack_size(const Digest& pack) const {
  const auto found = std::ranges::find(packs_, pack);
  return found == packs_.end() ? 0 : sizes_[static_cast<std::size_t>(found - packs_.begin())];
}

void ChunkStore::forget(const Digest& digest) {
  if (has(digest)) table_.move(digest, {.pack = kForgotten});
}

Result<std::uint64_t> ChunkStore::remove_pack(const Digest& pack) {
  TRY_STATUS(parts_.storage->remove(pack_name(pack)));
  const auto found = std::ranges::find(packs_, pack);
  return found == packs_.end() ? 0 : sizes_[static_cast<std::size_t>(found - packs_.begin())];
}

}  // namespace fairlead::volume
