#include "volume/service/backup_folder.h"

#include <algorithm>
#include <array>
#include <set>

#include "base/fault.h"
#include "base/text.h"
#include "volume/service/parallel.h"

namespace fairlead::volume {

namespace {

constexpr const char* kMarker = "fairlead-backup.json";
constexpr std::size_t kLargestMarker = 4096;
constexpr unsigned kFarLists = 32;
constexpr std::array<std::string_view, 3> kParts{"packs/", "backups/", "tmp/"};

Result<BackupMarker> read_marker(BackupStorage& storage) {
  auto file = storage.open(kMarker);
  if (!file && file.error().code == Code::kNotFound)
    return fail(Code::kInvalid, "{} is not a backup folder: it has no {}", storage.name(), kMarker);
  if (!file) return fail(file.error());
  auto marker = [&]() -> Result<BackupMarker> {
    if ((*file)->size() > kLargestMarker) return fail(Code::kInvalid, "it is too large");
    std::string text((*file)->size(), '\0');
    const BackupRange range{.offset = 0, .into = text};
    TRY_STATUS((*file)->read({&range, 1}));
    return parse_marker(text);
  }();
  if (!marker)
    return fail(with_context(marker.error(), fmt::format("{}/{}", storage.name(), kMarker)));
  return marker;
}

// Whether this is a folder of ours that an unfinished call left: empty, or with files that never
// got a name.
bool is_unused_part(BackupStorage& storage, const std::string& name) {
  if (std::ranges::find(kParts, name) == kParts.end()) return false;
  const auto files = storage.list(name.substr(0, name.size() - 1));
  const auto is_unnamed = [&](const BackupFile& file) {
    return name == "tmp/" && file.name.size() == 32 &&
           file.name.find_first_not_of("0123456789abcdef") == std::string::npos;
  };
  return files && std::ranges::all_of(*files, is_unnamed);
}

// An empty folder can become a backup folder. One that has other things in it is somebody else's.
Status check_empty(BackupStorage& storage, const std::vector<BackupFile>& files) {
  for (const BackupFile& file : files)
    if (!file.name.starts_with("lock") && file.name != "lost+found/" &&
        !is_unused_part(storage, file.name))
      return fail(Code::kConflict,
                  "{} is not empty and not a backup folder: \"{}\" is in it; name an empty folder, "
                  "or a new one",
                  storage.name(), shown(file.name.substr(0, file.name.find('/'))));
  return {};
}

Result<BackupMarker> make_marker(const BackupPlace& place,
                                 std::shared_ptr<const BackupCipher>& cipher) {
  BackupMarker marker;
  TRY(const auto secret, read_secret(place));
  if (!secret) return marker;
  SecretKey master;
  TRY(marker.encryption, wrap_new_key(*secret, master));
  cipher = std::make_shared<const BackupCipher>(master);
  return marker;
}

Status write_marker(BackupStorage& storage, const BackupMarker& marker) {
  TRY(const auto file, storage.create());
  TRY_STATUS(file->append(to_text(marker)));
  TRY_STATUS(file->publish(kMarker));
  return storage.sync();
}

}  // namespace

Result<BackupFolder> BackupFolder::open(const BackupPlace& place, std::function<bool()> stopped) {
  TRY(std::shared_ptr<BackupStorage> storage, open_storage(place.folder, std::move(stopped)));
  TRY(auto lock, storage->lock(Use::kRead, "read"));
  TRY(const auto marker, read_marker(*storage));
  BackupFolder folder(std::move(storage), std::move(lock), Use::kRead);
  TRY(folder.cipher_, open_cipher(marker, place));
  return folder;
}

Result<BackupFolder> BackupFolder::prepare(const BackupPlace& place, const std::string& verb,
                                           std::function<bool()> stopped) {
  TRY(std::shared_ptr<BackupStorage> storage, open_storage(place.folder, std::move(stopped)));
  TRY(auto lock, storage->lock(Use::kWrite, verb));
  TRY(const auto files, storage->list(""));
  const bool is_marked = std::ranges::find(files, kMarker, &BackupFile::name) != files.end();
  BackupFolder folder(std::move(storage), std::move(lock), Use::kWrite);
  BackupMarker fresh;
  if (is_marked) {
    TRY(const auto marker, read_marker(*folder.storage_));
    TRY(folder.cipher_, open_cipher(marker, place));
  } else {
    TRY_STATUS(check_empty(*folder.storage_, files));
    TRY(fresh, make_marker(place, folder.cipher_));
  }
  TRY_STATUS(folder.storage_->prepare());
  fault_point("backup.folder.made");
  // Last, so that a folder with the marker is complete.
  if (!is_marked) TRY_STATUS(write_marker(*folder.storage_, fresh));
  fault_point("backup.folder.ready");
  return folder;
}

// Reads several at the same time, because a far storage is slow to answer.
Result<std::vector<std::string>> BackupFolder::ids() const {
  TRY(const auto files, storage_->list("backups"));
  std::vector<std::string> ids;
  for (const BackupFile& file : files)
    if (auto id = parse_index_name(file.name)) ids.push_back(std::move(*id));
  std::ranges::sort(ids);
  return ids;
}

Result<BackupFolder::Listing> BackupFolder::list() const {
  TRY(const auto ids, this->ids());
  std::vector<Result<BackupSummary>> summaries(ids.size(), BackupSummary());
  in_parallel(ids.size(), reading_threads(*storage_, kFarLists), [&](std::size_t k) {
    summaries[k] = read_summary(*storage_, cipher_.get(), ids[k]);
    return true;
  });
  Listing listing;
  for (std::size_t k = 0; k < ids.size(); ++k) {
    if (summaries[k])
      listing.backups.push_back(std::move(*summaries[k]));
    else
      listing.damaged.push_back(
          fmt::format("backup {} cannot be read: {}", ids[k], summaries[k].error().text));
  }
  return listing;
}

Result<ChunkStore> BackupFolder::chunks(const Listing& listing) const {
  if (use_ == Use::kRead) return ChunkStore::open({storage_, cipher_});
  std::set<Digest> trusted;
  for (const BackupSummary& summary : listing.backups)
    trusted.insert(summary.packs.begin(), summary.packs.end());
  return ChunkStore::open({storage_, cipher_}, trusted);
}

Result<ChunkStore> BackupFolder::chunks() const {
  if (use_ == Use::kRead) return chunks(Listing());
  TRY(const auto listing, list());
  return chunks(listing);
}

Result<IndexReader> BackupFolder::read_index(const BackupSummary& backup) const {
  return IndexReader::open(storage_, cipher_, backup);
}

Result<IndexWriter> BackupFolder::write_index() const {
  return IndexWriter::open(storage_, cipher_);
}

Result<std::uint64_t> BackupFolder::collect(ChunkStore& chunks) const {
  TRY(const auto listing, list());
  if (!listing.damaged.empty()) return 0;  // nobody knows which packs those need
  std::set<Digest> needed;
  for (const BackupSummary& summary : listing.backups)
    needed.insert(summary.packs.begin(), summary.packs.end());
  std::uint64_t gone = 0;
  for (const Digest& pack : chunks.packs()) {
    if (needed.contains(pack)) continue;
    TRY(const auto bytes, chunks.remove_pack(pack));
    gone += bytes;
    fault_point("backup.pack.collected");
  }
  return gone;
}

Status BackupFolder::remove(const BackupSummary& backup) const {
  TRY_STATUS(storage_->remove(index_name(backup.info.id)));
  return storage_->sync();
}

}  // namespace fairlead::volume
