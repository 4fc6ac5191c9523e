#include "volume/service/backup_prune.h"

#include <algorithm>
#include <map>

#include "base/fault.h"
#include "base/text.h"
#include "volume/service/backup_needs.h"
#include "volume/service/schedule.h"

namespace fairlead::volume {

namespace {

// Of a list: what each chunk has in it, and what surrounds it (chunk_store.h).
constexpr std::uint64_t kPackRow = 44, kPackOverhead = 52;

bool has_id(const std::vector<BackupSummary>& backups, const std::string& id) {
  return std::ranges::any_of(backups, [&](const BackupSummary& one) { return one.info.id == id; });
}

std::string newest_ids(const std::vector<BackupSummary>& backups) {
  constexpr std::size_t kMost = 5;
  std::string text;
  for (std::size_t k = backups.size() - std::min(backups.size(), kMost); k < backups.size(); ++k)
    text += (text.empty() ? "" : ", ") + backups[k].info.id;
  return text.empty() ? "there is none" : "the newest are " + text;
}

class Pruner {
 public:
  Pruner(const BackupFolder& folder, ChunkStore store, const BackupRemoval& removal,
         const Progress& progress)
      : folder_(folder), store_(std::move(store)), removal_(removal), progress_(progress) {}

  // Reads what is needed, and changes nothing.
  Status plan(const std::vector<BackupSummary>& kept);
  std::uint64_t would_free() const;
  Status remove_backups();
  Status free_packs();
  std::uint64_t freed() const { return freed_ - std::min(freed_, store_.stored()); }
  std::vector<std::string> notes() && { return std::move(notes_); }

 private:
  struct Pack {
    Digest name{};
    std::uint64_t size = 0, live = 0;  // bytes; live with their part of the list
    bool is_dead() const { return live == 0; }
    bool is_mostly_dead() const {
      return live > 0 && live + kPackOverhead < size - std::min(size, live + kPackOverhead);
    }
  };

  Status settle_lists();
  Status remove_dead();
  Status repack();
  Status store_again(const std::set<Digest>& old);
  Status move(const Digest& pack, std::set<Digest>& emptied);
  bool holds_needed(const Digest& pack) const;
  Status remove_pack(const Digest& pack, const char* point);

  const BackupFolder& folder_;
  ChunkStore store_;
  const BackupRemoval& removal_;
  const Progress& progress_;
  FolderNeeds needs_;
  std::vector<Pack> packs_;
  std::set<Digest> listed_;  // by an index that could not be written anew
  std::uint64_t freed_ = 0;
  std::vector<std::string> notes_;
};

Status Pruner::plan(const std::vector<BackupSummary>& kept) {
  TRY(needs_, read_needs(folder_, store_, kept, progress_));
  for (const Digest& name : store_.packs()) {
    Pack pack{.name = name};
    pack.size = store_.pack_size(name);
    for (const PackedChunk& chunk : store_.chunks_in(name))
      if (needs_.chunks.contains(chunk.digest)) pack.live += chunk.stored + kPackRow;
    packs_.push_back(pack);
  }
  // What is in no pack may be in one that cannot be read now: nothing of such a backup is touched.
  for (const BackupNeeds& one : needs_.backups)
    if (one.lacks_chunks || one.is_damaged)
      listed_.insert(one.backup.packs.begin(), one.backup.packs.end());
  return {};
}

std::uint64_t Pruner::would_free() const {
  std::uint64_t bytes = 0;
  for (const Pack& pack : packs_) {
    if (listed_.contains(pack.name)) continue;
    if (pack.is_dead()) bytes += pack.size;
    if (pack.is_mostly_dead()) bytes += pack.size - pack.live;
  }
  return bytes;
}

Status Pruner::remove_backups() {
  for (const std::string& id : removal_.unreadable) {
    BackupSummary backup;
    backup.info.id = id;
    TRY_STATUS(folder_.remove(backup));
  }
  for (const BackupSummary& backup : removal_.backups) {
    TRY_STATUS(folder_.remove(backup));
    fault_point("backup.remove.index");
  }
  return {};
}

// An index can list a pack in which nothing is its own any more: the same chunk was stored in
// another pack when this one was lost, or a call that packed anew was killed. It has to list where
// its chunks are before the other pack may go.
Status Pruner::settle_lists() {
  for (const BackupNeeds& one : needs_.backups) {
    const std::set<Digest> listed(one.backup.packs.begin(), one.backup.packs.end());
    if (one.lacks_chunks || one.is_damaged || listed == one.packs) continue;
    const auto done = rewrite_index(folder_, store_, one.backup);
    fault_point("backup.remove.settled");
    if (done) continue;
    if (done.error().code == Code::kUnavailable) return done;
    listed_.insert(listed.begin(), listed.end());
    notes_.push_back(
        fmt::format("packs of backup {} stay: {}", one.backup.info.id, done.error().text));
  }
  return {};
}

Status Pruner::remove_pack(const Digest& pack, const char* point) {
  TRY(const auto bytes, store_.remove_pack(pack));
  freed_ += bytes;
  fault_point(point);
  return {};
}

Status Pruner::remove_dead() {
  for (const Pack& pack : packs_)
    if (pack.is_dead() && !listed_.contains(pack.name))
      TRY_STATUS(remove_pack(pack.name, "backup.remove.pack"));
  return {};
}

// Stores again what is needed of the pack. A pack with damage stays as it is: repair is for that.
Status Pruner::move(const Digest& pack, std::set<Digest>& emptied) {
  for (const PackedChunk& chunk : store_.chunks_in(pack)) {
    if (!needs_.chunks.contains(chunk.digest)) continue;
    const auto bytes = store_.get(chunk.digest);
    if (!bytes) {
      notes_.push_back(fmt::format("a pack is damaged and stays: {}", bytes.error().text));
      return {};
    }
    store_.forget(chunk.digest);
    TRY_STATUS(store_.put(chunk.digest, *bytes));
    if (progress_ && !progress_(0, 0)) return fail(Code::kUnavailable, "it was stopped");
  }
  emptied.insert(pack);
  return {};
}

// A new pack with the same bytes has the same name.
bool Pruner::holds_needed(const Digest& pack) const {
  return std::ranges::any_of(store_.chunks_in(pack), [&](const PackedChunk& chunk) {
    return needs_.chunks.contains(chunk.digest);
  });
}

Status Pruner::store_again(const std::set<Digest>& old) {
  std::set<Digest> emptied;
  for (const Digest& pack : old) TRY_STATUS(move(pack, emptied));
  TRY_STATUS(store_.flush());
  fault_point("backup.repack.stored");
  for (const BackupNeeds& one : needs_.backups) {
    const bool moved =
        std::ranges::any_of(one.packs, [&](const Digest& pack) { return old.contains(pack); });
    if (!moved) continue;
    TRY_STATUS(rewrite_index(folder_, store_, one.backup));
    fault_point("backup.repack.listed");
  }
  for (const Digest& pack : emptied)
    if (!holds_needed(pack)) TRY_STATUS(remove_pack(pack, "backup.repack.removed"));
  return {};
}

Status Pruner::repack() {
  std::set<Digest> old;
  for (const Pack& pack : packs_)
    if (pack.is_mostly_dead() && !listed_.contains(pack.name)) old.insert(pack.name);
  if (old.empty()) return {};
  const auto done = store_again(old);
  if (done) return {};
  // What was stored again for nothing goes; the old packs are still listed.
  (void)folder_.collect(store_);
  if (done.error().code == Code::kUnavailable) return done;
  notes_.push_back(fmt::format("packs that are mostly of removed backups stay as they are: {}",
                               done.error().text));
  return {};
}

Status Pruner::free_packs() {
  TRY_STATUS(settle_lists());
  TRY_STATUS(remove_dead());
  return repack();
}

std::vector<BackupSummary> without(const std::vector<BackupSummary>& backups,
                                   const std::vector<BackupSummary>& gone) {
  std::vector<BackupSummary> kept;
  for (const BackupSummary& one : backups)
    if (!has_id(gone, one.info.id)) kept.push_back(one);
  return kept;
}

Status refuse_unreadable(const BackupFolder& folder, const BackupFolder::Listing& listing,
                         const BackupRemoval& removal) {
  TRY(const auto ids, unreadable_ids(folder, listing));
  for (const std::string& id : ids)
    if (std::ranges::find(removal.unreadable, id) == removal.unreadable.end())
      return fail(Code::kConflict,
                  "the index of backup {} cannot be read, so nobody knows what it needs: nothing "
                  "was removed; look at it (fairlead backup verify {}), remove it as well, or give "
                  "--force",
                  shown(id), folder.path());
  return {};
}

}  // namespace

Result<BackupRemoval> find_backups(const BackupFolder& folder, const BackupFolder::Listing& listing,
                                   const std::vector<std::string>& ids) {
  TRY(const auto unreadable, unreadable_ids(folder, listing));
  BackupRemoval removal;
  for (const std::string& id : ids) {
    std::vector<const BackupSummary*> found;
    for (const BackupSummary& one : listing.backups)
      if (one.info.id == id || (!id.empty() && one.info.id.starts_with(id))) found.push_back(&one);
    if (found.size() == 1) {
      if (!has_id(removal.backups, found[0]->info.id)) removal.backups.push_back(*found[0]);
    } else if (std::ranges::find(unreadable, id) != unreadable.end()) {
      removal.unreadable.push_back(id);
    } else {
      return fail(Code::kNotFound, "{} backup \"{}\" in {}; {}",
                  found.empty() ? "there is no" : "there is more than one", shown(id),
                  folder.path(), newest_ids(listing.backups));
    }
  }
  return removal;
}

BackupRemoval plan_removal(const std::vector<BackupSummary>& backups, const Retention& keep,
                           long long now) {
  std::map<std::string, std::vector<const BackupSummary*>> by_volume;
  for (const BackupSummary& one : backups) by_volume[one.info.volume].push_back(&one);
  BackupRemoval removal;
  for (const auto& [name, all] : by_volume) {
    std::vector<Moment> moments;
    const BackupSummary* newest = nullptr;
    for (const BackupSummary* one : all) {
      moments.push_back({one->info.id, one->info.created});
      if (one->info.created <= now &&
          (newest == nullptr || one->info.created >= newest->info.created))
        newest = one;
    }
    // Of two in one second the later one counts.
    std::ranges::reverse(moments);
    const auto kept = kept_by(keep, std::move(moments), now);
    for (const BackupSummary* one : all)
      if (one != newest && !kept.contains(one->info.id)) removal.backups.push_back(*one);
  }
  return removal;
}

Result<PruneReport> run_prune(const BackupFolder& folder, const BackupFolder::Listing& listing,
                              const BackupRemoval& removal, const PruneOptions& options,
                              const Progress& progress) {
  if (!options.force) TRY_STATUS(refuse_unreadable(folder, listing, removal));
  const auto kept = without(listing.backups, removal.backups);
  TRY(auto store, folder.chunks(listing));
  Pruner pruner(folder, std::move(store), removal, progress);
  TRY_STATUS(pruner.plan(kept));
  PruneReport report;
  for (const BackupSummary& one : removal.backups) report.removed.push_back(one.info);
  for (const BackupSummary& one : kept) report.kept.push_back(one.info);
  report.freed = pruner.would_free();
  if (options.dry_run) return report;
  TRY_STATUS(pruner.remove_backups());
  TRY_STATUS(pruner.free_packs());
  report.freed = pruner.freed();
  report.notes = std::move(pruner).notes();
  return report;
}

}  // namespace fairlead::volume
