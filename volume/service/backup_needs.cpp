#include "volume/service/backup_needs.h"

#include <algorithm>

#include "base/text.h"
#include "volume/service/progress_reporter.h"

namespace fairlead::volume {

Status each_entry_of(const BackupFolder& folder, const BackupSummary& backup,
                     const EachEntry& visit) {
  const auto read = [&]() -> Status {
    TRY(auto reader, folder.read_index(backup));
    for (;;) {
      TRY(const auto entry, reader.next());
      if (!entry) return {};
      TRY_STATUS(visit(*entry));
    }
  }();
  if (!read && read.error().code == Code::kInvalid)
    return fail(with_context(read.error(), fmt::format("backup {}", backup.info.id)));
  return read;
}

Result<FolderNeeds> read_needs(const BackupFolder& folder, const ChunkStore& store,
                               const std::vector<BackupSummary>& backups,
                               const Progress& progress) {
  ProgressReporter reporter(progress, 0);
  FolderNeeds needs;
  for (const BackupSummary& backup : backups) {
    BackupNeeds one{.backup = backup, .packs = {}};
    const auto read = each_entry_of(folder, backup, [&](const BackupEntry& entry) -> Status {
      for (const Chunk& chunk : entry.chunks) {
        needs.chunks.insert(chunk.digest);
        if (store.has(chunk.digest))
          one.packs.insert(store.pack_of(chunk.digest));
        else
          one.lacks_chunks = true;
      }
      return reporter.add(0);
    });
    one.is_damaged = !read && read.error().code == Code::kInvalid;
    if (!read && !one.is_damaged) return fail(read.error());
    needs.backups.push_back(std::move(one));
  }
  return needs;
}

Status rewrite_index(const BackupFolder& folder, const ChunkStore& store, BackupSummary backup,
                     const std::set<Digest>& also) {
  TRY(auto writer, folder.write_index());
  std::set<Digest> packs;
  bool lacks_chunks = false;
  TRY_STATUS(each_entry_of(folder, backup, [&](const BackupEntry& entry) -> Status {
    for (const Chunk& chunk : entry.chunks)
      if (store.has(chunk.digest))
        packs.insert(store.pack_of(chunk.digest));
      else
        lacks_chunks = true;
    TRY(const bool is_kept, writer.add(entry));
    if (!is_kept)
      return fail(Code::kUnsupported, "\"{}\" has more attributes than an index holds",
                  shown(entry.entry.path));
    return {};
  }));
  if (lacks_chunks) packs.insert(also.begin(), also.end());
  backup.packs = {packs.begin(), packs.end()};
  return writer.publish(std::move(backup));
}

Result<std::vector<std::string>> unreadable_ids(const BackupFolder& folder,
                                                const BackupFolder::Listing& listing) {
  TRY(auto ids, folder.ids());
  std::erase_if(ids, [&](const std::string& id) {
    return std::ranges::any_of(listing.backups,
                               [&](const BackupSummary& one) { return one.info.id == id; });
  });
  return ids;
}

}  // namespace fairlead::volume
